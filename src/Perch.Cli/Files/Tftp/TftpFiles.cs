using System.Net;
using System.Text;
using Perch.Cli.Net;
using Perch.Wire;
using Perch.Wire.Files;
using Perch.Wire.Tftp;

namespace Perch.Cli.Files.Tftp;

/// <summary>
/// Files over TFTP (RFC 1350, in octet mode, with the options of RFC 2347 to 2349 and 7440). Each transfer has a socket of its own. The
/// protocol knows whole files and nothing else: no list, no deletion, no hash, nothing to go on with.
/// </summary>
/// <param name="server">Where requests go.</param>
/// <param name="isRooted">Whether names begin with a slash at the server.</param>
/// <param name="ask">What it is asked for.</param>
internal sealed class TftpFiles(IPEndPoint server, bool isRooted, TftpAsk ask) : IRemoteFiles
{
    public bool IsResumable => false;

    public static async Task<TftpFiles> OpenAsync(Dialer dialer, TftpAsk ask, CancellationToken cancellationToken) =>
        new((IPEndPoint)(await dialer.ResolveAsync(cancellationToken))[0], dialer.Target.IsRooted, ask);

    /// <summary>The length alone, by <c>tsize</c>; or a file of one short block, whose length is seen.</summary>
    /// <exception cref="CliException">The server does not tell it.</exception>
    public async Task<RemoteStatus> StatAsync(FileName name, CancellationToken cancellationToken)
    {
        using var link = new TftpLink(server, ask, cancellationToken);
        try
        {
            // No other option: Perch answers with the file itself where it is empty.
            link.Ask(Request(name, isWrite: false, new() { TransferSize = 0 }));
            while (true)
            {
                if (!await link.HearAsync())
                {
                    link.AskAgain();
                    continue;
                }

                if (!TryReadLength(link.Packet, out var length)) continue;
                link.Open();
                link.TellError(TftpErrorCode.NotDefined, "only the length was asked for");
                return length is { } bytes ? new(bytes, null, null, 0) : throw new CliException(ExitCode.Refused, $"{PeerText.Escape(name.Value)}: the server has it, and does not tell its length (no tsize).");
            }
        }
        catch (FileRefusal refusal) when (refusal.Code == FileRefusal.NotFound)
        {
            return RemoteStatus.None;
        }
    }

    public Task PutAsync(LocalFile file, long offset, Stream content, TransferMeter meter, CancellationToken cancellationToken) =>
        TransferAsync(file.Name, isWrite: true, ask.Options(file.Length, meter.PieceBytes), (link, request) => new TftpUpload(link, request, content, file.Length, meter, cancellationToken).RunAsync(), cancellationToken);

    public Task GetAsync(FileName name, long offset, Func<RemoteStatus, Stream?> accept, TransferMeter meter, CancellationToken cancellationToken) =>
        TransferAsync(name, isWrite: false, ask.Options(0, meter.PieceBytes), (link, request) => new TftpDownload(link, request, accept, meter, cancellationToken).RunAsync(), cancellationToken);

    public Task<IReadOnlyList<ListedFile>> ListAsync(string prefix, string after, CancellationToken cancellationToken) => throw Unknown("has no lists of files");

    public Task DeleteAsync(FileName name, CancellationToken cancellationToken) => throw Unknown("cannot delete files");

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <returns>False where it is no answer to a request.</returns>
    private static bool TryReadLength(ReadOnlySpan<byte> packet, out long? length)
    {
        length = null;
        if (TftpPacket.TryReadOptionAcknowledgment(packet, out var told))
        {
            length = told.TransferSize;
            return true;
        }

        if (!TftpPacket.TryReadData(packet, out var block, out var data) || block != 1) return false;
        if (data.Length < TftpOptionSet.DefaultBlockSize) length = data.Length;
        return true;
    }

    private static CliException Unknown(string what) => new(ExitCode.Usage, $"TFTP {what}: get and put one by its whole name, or ask stat for its length.");

    private TftpRequest Request(FileName name, bool isWrite, TftpOptionSet options) => new(isWrite, Encoding.UTF8.GetBytes(isRooted ? "/" + name.Value : name.Value), TftpMode.Octet, options);

    /// <summary>Some servers refuse options where they should pass over them: then it is tried without.</summary>
    private async Task TransferAsync(FileName name, bool isWrite, TftpOptionSet options, Func<TftpLink, TftpRequest, Task> run, CancellationToken cancellationToken)
    {
        using (var link = new TftpLink(server, ask, cancellationToken))
        {
            try
            {
                await RunAsync(link, Request(name, isWrite, options), run);
                return;
            }
            catch (FileRefusal refusal) when (!link.IsOpen && refusal.Code == FileRefusal.Options)
            {
                // Below.
            }
        }

        using var plain = new TftpLink(server, ask, cancellationToken);
        await RunAsync(plain, Request(name, isWrite, TftpOptionSet.None), run);
    }

    /// <summary>Where this side ends the transfer the server need not wait for a timeout.</summary>
    private static async Task RunAsync(TftpLink link, TftpRequest request, Func<TftpLink, TftpRequest, Task> run)
    {
        try
        {
            await run(link, request);
        }
        catch (ProtocolException violation)
        {
            link.TellError(violation.Code == TftpTerms.Options ? TftpErrorCode.OptionRefused : TftpErrorCode.IllegalOperation, violation.Message);
            throw;
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or CliException { ExitCode: ExitCode.LocalFile })
        {
            link.TellError(exception is IOException ? TftpErrorCode.DiskFull : TftpErrorCode.NotDefined, "the client stops");
            throw;
        }
    }
}

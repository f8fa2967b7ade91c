using Perch.Datagrams;
using Perch.Files;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>Decides about requests: what they may, whether there is room, and which file they are for.</summary>
internal sealed class TftpDesk(TftpOptions options, FileStoreService files, FileStoreOptions limits, TimeProvider time)
{
    private readonly TftpTransfers _transfers = new(options.MaxTransfers, options.MaxTransfersPerSource, time);

    /// <summary>Whether this peer has a transfer that the packet only asks for again; it is told so.</summary>
    public bool IsRepeated(PeerAddress peer, ReadOnlySpan<byte> packet)
    {
        if (_transfers.Find(peer) is not { } running || !running.IsRepeatedBy(packet) || !running.TryAskAgain()) return false;
        if (!running.IsProven) running.Wait.Repeat();
        return true;
    }

    /// <param name="peer">Who asks.</param>
    /// <param name="packet">The request; used until the task ends.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="endpoint">The endpoint's name.</param>
    /// <exception cref="TftpException">It is refused.</exception>
    public async ValueTask<TftpJob> OpenAsync(PeerAddress peer, ReadOnlyMemory<byte> packet, TftpRequest request, string endpoint)
    {
        if (!(request.IsWrite ? options.AllowWrite : options.AllowRead)) throw Refused("this server does not allow it");
        if (!TftpName.TryMap(request.Name.Span, options.Folder, options.LowerCase, out var name, out var fault)) throw Refused(fault);
        var transfer = _transfers.TryAdd(peer, packet.ToArray()) ?? throw new TftpException(TftpErrorCode.NotDefined, TftpText.Of(TftpOutcome.Busy), TftpOutcome.Busy);
        try
        {
            var store = await files.GetAsync();
            if (!request.IsWrite)
            {
                var file = await store.OpenReadAsync(name, CancellationToken.None) ?? throw new FileStoreException("not-found", "there is no file of this name");
                return new(transfer, request, name) { File = file };
            }

            var job = new TftpJob(transfer, request, name)
            {
                BeginUpload = length => store.BeginAsync(
                    new(name) { Length = length, OnlyNew = !options.AllowOverwrite, Endpoint = endpoint, Remote = peer.ToString() },
                    CancellationToken.None),
            };
            await job.BeginAsync(limits.MaxFileBytes);
            return job;
        }
        catch (FileStoreException failure)
        {
            transfer.Dispose();
            files.Failed(failure);
            throw TftpException.Of(failure);
        }
        catch
        {
            transfer.Dispose();
            throw;
        }
    }

    private static TftpException Refused(string text) => new(TftpErrorCode.AccessViolation, text, TftpOutcome.Refused);
}

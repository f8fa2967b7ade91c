using System.Security.Cryptography;
using Perch.Wire;

namespace Perch.Cli.Files;

/// <summary>Brings one file to the server: what is there already is not sent again.</summary>
internal static class Uploader
{
    /// <returns>How it went: <c>stored</c>, <c>resumed</c> or <c>unchanged</c>, and the hash.</returns>
    /// <exception cref="CliException">It did not work; where the connection broke, what is there can be resumed.</exception>
    public static async Task<TransferResult> RunAsync(IRemoteFiles remote, LocalFile file, bool resume, TransferMeter meter, CancellationToken cancellationToken)
    {
        await using var content = new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous | FileOptions.SequentialScan);
        // Hashed before it is sent: the server compares, so what is published is what was meant.
        file = file with { Length = content.Length, Sha256 = file.Sha256.Length > 0 ? file.Sha256 : Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellationToken)) };
        try
        {
            var status = resume && remote.IsResumable ? await remote.StatAsync(file.Name, cancellationToken) : RemoteStatus.None;
            if (status.Sha256 == file.Sha256 && status.Length == file.Length) return new("unchanged", file.Name, file.Length, file.Sha256, 0);
            var offset = status.Partial <= file.Length ? status.Partial : 0;
            content.Position = offset;
            meter.Begin(file.Length - offset);
            await remote.PutAsync(file, offset, content, meter, cancellationToken);
            return new(offset > 0 ? "resumed" : "stored", file.Name, file.Length, file.Sha256, meter.Bytes);
        }
        catch (FileRefusal refusal) when (resume && refusal.Code is FileRefusal.Checksum or FileRefusal.Offset)
        {
            // What was there was the begin of another version, or less of it than was told; it is dropped now.
            throw new RestartException(PeerText.Escape(refusal.Message), file.Sha256);
        }
        catch (FileRefusal refusal)
        {
            throw refusal.Of(file.Name);
        }
    }
}

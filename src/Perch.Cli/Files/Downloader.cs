using System.Security.Cryptography;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>
/// Brings one file from the server. The bytes gather in <c>NAME.HASH.part</c> beside the file, HASH the begin of the whole file's
/// SHA-256: so what was begun is only ever gone on with for the same version. When all is there and its hash is right it takes the name.
/// </summary>
internal static class Downloader
{
    private const int HashCharsInName = 16;

    /// <exception cref="CliException">It did not work; where the connection broke, what is there can be resumed.</exception>
    public static async Task<TransferResult> RunAsync(IRemoteFiles remote, FileName name, string path, bool resume, TransferMeter meter, CancellationToken cancellationToken)
    {
        try
        {
            LocalPath.RequireReplaceable(path);
            if (!remote.IsResumable) return await RunWholeAsync(remote, name, path, meter, cancellationToken);
            var status = await remote.StatAsync(name, cancellationToken);
            if (status is not { Sha256: { } sha256, Length: { } length }) throw new FileRefusal(FileRefusal.NotFound, "there is no file of this name");
            if (resume && await HasAsync(path, length, sha256, cancellationToken)) return new("unchanged", name, length, sha256, 0);
            if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
            var part = $"{path}.{sha256[..HashCharsInName]}{PartFile.Suffix}";
            var offset = await FetchAsync(remote, name, part, path, resume, status, meter, cancellationToken);
            DropOldParts(path);
            return new(offset > 0 ? "resumed" : "fetched", name, length, sha256, meter.Bytes);
        }
        catch (FileRefusal refusal)
        {
            throw refusal.Of(name);
        }
    }

    /// <summary>From a server that knows no hashes: what was begun is of no use, and no name for it is the file's alone.</summary>
    private static async Task<TransferResult> RunWholeAsync(IRemoteFiles remote, FileName name, string path, TransferMeter meter, CancellationToken cancellationToken)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
        var part = path + PartFile.Suffix;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = PartFile.Open(part);
        try
        {
            file.SetLength(0);
            await remote.GetAsync(name, 0, told =>
            {
                meter.Begin(told.Length);
                return new HashingStream(file, hash);
            }, meter, cancellationToken);
            file.Flush(flushToDisk: true);
            File.Move(part, path, overwrite: true);
        }
        catch
        {
            File.Delete(part);
            throw;
        }

        return new("fetched", name, meter.Bytes, Convert.ToHexStringLower(hash.GetHashAndReset()), meter.Bytes);
    }

    /// <summary>Passes a file on as it comes, to where it cannot be taken back: the hash is compared at the end.</summary>
    public static async Task<TransferResult> PipeAsync(IRemoteFiles remote, FileName name, Stream output, TransferMeter meter, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var status = RemoteStatus.None;
        try
        {
            await remote.GetAsync(name, 0, told =>
            {
                status = told;
                meter.Begin(told.Length);
                return new HashingStream(output, hash);
            }, meter, cancellationToken);
        }
        catch (FileRefusal refusal)
        {
            throw refusal.Of(name);
        }

        await output.FlushAsync(cancellationToken);
        var sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (status.Sha256 is { } told && sha256 != told) throw Mismatch(name);
        return new("fetched", name, meter.Bytes, sha256, meter.Bytes);
    }

    /// <returns>Where it began.</returns>
    private static async Task<long> FetchAsync(IRemoteFiles remote, FileName name, string part, string path, bool resume, RemoteStatus status, TransferMeter meter, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = PartFile.Open(part);
        if (!resume || file.Length > status.Length) file.SetLength(0);
        var offset = file.Length;
        await HashAsync(file, hash, cancellationToken);
        var isOther = false;
        await remote.GetAsync(name, offset, told =>
        {
            isOther = told.Sha256 != status.Sha256;
            meter.Begin(told.Length - offset);
            return isOther ? null : new HashingStream(file, hash);
        }, meter, cancellationToken);
        if (isOther) throw new RestartException("the file was replaced meanwhile", "");
        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != status.Sha256)
        {
            file.SetLength(0);
            throw offset > 0 ? new RestartException("what was left of an earlier transfer is damaged", "") : Mismatch(name);
        }

        file.Flush(flushToDisk: true);
        File.Move(part, path, overwrite: true);
        return offset;
    }

    private static async Task HashAsync(FileStream file, IncrementalHash hash, CancellationToken cancellationToken)
    {
        var buffer = new byte[TransferMeter.LargestPiece];
        while (await file.ReadAsync(buffer, cancellationToken) is var read and > 0) hash.AppendData(buffer, 0, read);
    }

    private static async Task<bool> HasAsync(string path, long length, string sha256, CancellationToken cancellationToken)
    {
        if (!File.Exists(path) || new FileInfo(path).Length != length) return false;
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellationToken)) == sha256;
    }

    /// <summary>What was begun of other versions is of no use now.</summary>
    private static void DropOldParts(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var begin = Path.GetFileName(path) + ".";
        foreach (var old in Directory.EnumerateFiles(folder))
        {
            var name = Path.GetFileName(old);
            if (name.Length == begin.Length + HashCharsInName + PartFile.Suffix.Length && name.StartsWith(begin, StringComparison.Ordinal) && name.EndsWith(PartFile.Suffix, StringComparison.Ordinal)
                && name.Skip(begin.Length).Take(HashCharsInName).All(char.IsAsciiHexDigitLower)) PartFile.Drop(old);
        }
    }

    private static CliException Mismatch(FileName name) => new(ExitCode.Refused, $"{PeerText.Escape(name.Value)}: the bytes that came have another sha256 than the server said; nothing was kept.");
}

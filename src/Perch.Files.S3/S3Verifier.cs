using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>Reads all that is under the prefix and tells what it is. Changes nothing; servers may use the store meanwhile.</summary>
internal sealed class S3Verifier(S3Bucket bucket, S3Files files, S3Checkpoints checkpoints)
{
    private const int MaxKeys = 1000;
    private const int ReadBytes = 256 * 1024;

    public async IAsyncEnumerable<FileFinding> VerifyAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = "";
        for (var hasMore = true; hasMore;)
        {
            (var objects, hasMore) = await bucket.ListAsync("", after, MaxKeys, cancellationToken);
            foreach (var o in objects)
            {
                if ((o.Key.StartsWith('.') ? await OwnAsync(o.Key, cancellationToken) : await FileAsync(o.Key, cancellationToken)) is { } finding) yield return finding;
                after = o.Key;
            }
        }
    }

    private async Task<FileFinding?> OwnAsync(string key, CancellationToken cancellationToken)
    {
        if (key.StartsWith(S3Files.Meta, StringComparison.Ordinal) || key.StartsWith(S3Files.Probe, StringComparison.Ordinal)) return null;
        if (!key.StartsWith(S3Files.Uploads, StringComparison.Ordinal)) return new(true, key, "is not of the store");
        if (await checkpoints.FindAsync(key, cancellationToken) is { } found) return new(false, found.Checkpoint.Name, $"unfinished upload, {found.Checkpoint.Length} bytes can be resumed");
        return await bucket.HeadAsync(key, cancellationToken) is null ? null : new(true, key, "is damaged");
    }

    private async Task<FileFinding?> FileAsync(string key, CancellationToken cancellationToken)
    {
        if (!FileName.TryParse(key, out var name, out var fault)) return new(true, key, $"cannot be a file of the store: {fault}");
        for (var i = 0; i < S3Files.Tries; i++)
        {
            using var response = await bucket.GetAsync(files.KeyOf(name), 0, long.MaxValue, null, cancellationToken);
            if (response is null) return null;
            StoredFile? file;
            try
            {
                file = await files.ResolveAsync(name, response.Metadata, response.ContentLength, cancellationToken);
            }
            catch (FileStoreException exception) when (exception.Code == "corrupt")
            {
                return new(true, key, $"has {response.ContentLength} bytes, and another length than when it was stored");
            }

            if (file is null && S3Files.AboutId(response.Metadata) is not null) continue;
            if (file is null) break;
            await using var snapshot = new S3Snapshot(bucket, key, response, file);
            return await HashAsync(snapshot, cancellationToken) == file.Sha256
                ? new(false, key, $"{file.Length} bytes, sha256={file.Sha256}")
                : new(true, key, $"has another hash than {file.Sha256}");
        }

        return new(true, key, "has no metadata; the store does not serve it");
    }

    private static async Task<string> HashAsync(S3Snapshot snapshot, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            for (long at = 0; at < snapshot.File.Length;)
            {
                var read = await snapshot.ReadAsync(at, buffer.AsMemory(0, (int)Math.Min(buffer.Length, snapshot.File.Length - at)), cancellationToken);
                hash.AppendData(buffer, 0, read);
                at += read;
            }

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

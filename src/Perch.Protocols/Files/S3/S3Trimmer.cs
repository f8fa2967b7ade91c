using Perch.Protocols.Retention;
using Perch.Wire.Files;

namespace Perch.Protocols.Files.S3;

/// <summary>Takes away what was abandoned, and counts what is there.</summary>
internal sealed class S3Trimmer(S3FileStore store, S3Uploads live, TimeProvider time, RetentionClock retention)
{
    /// <summary>A count asks for every thousand objects once.</summary>
    private static readonly TimeSpan CountInterval = TimeSpan.FromMinutes(10);

    private const int MaxKeys = 1000;

    private long? _counted;

    /// <returns>How many unfinished uploads were deleted.</returns>
    public async Task<int> TrimAsync(CancellationToken cancellationToken)
    {
        var before = retention.DueBefore(store.Options.AbandonAfter);
        var trimmed = await TrimCheckpointsAsync(before, cancellationToken) + await TrimMultipartAsync(before, cancellationToken);
        if (_counted is not { } counted || time.GetElapsedTime(counted) >= CountInterval) await CountAsync(cancellationToken);
        return trimmed;
    }

    /// <summary>What others do meanwhile may be counted or not; the next count knows.</summary>
    public async Task CountAsync(CancellationToken cancellationToken)
    {
        _counted = time.GetTimestamp();
        var uploads = live.All;
        var (files, bytes, partials) = (0L, uploads.Sum(u => u.Length), uploads.Length);
        await foreach (var (key, size, _) in KeysAsync("", cancellationToken))
        {
            if (key[0] != '.') (files, bytes) = (files + 1, bytes + size);
        }

        await foreach (var (key, _, _) in KeysAsync(S3Files.Uploads, cancellationToken))
        {
            if (live.Newest(key) is null && await store.Checkpoints.FindAsync(key, cancellationToken) is { } found) (partials, bytes) = (partials + 1, bytes + found.Checkpoint.Length);
        }

        store.Totals.Counted(new(files, bytes, partials));
    }

    private async Task<int> TrimCheckpointsAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        var trimmed = 0;
        await foreach (var (key, _, modified) in KeysAsync(S3Files.Uploads, cancellationToken))
        {
            if (modified >= before || live.Newest(key) is not null) continue;
            if (await store.Checkpoints.FindAsync(key, cancellationToken) is { } found && FileName.TryParse(found.Checkpoint.Name, out var name, out _)) await store.Publisher.DropAsync(name, found.Checkpoint);
            else await store.Bucket.DeleteAsync(key);
            trimmed++;
        }

        return trimmed;
    }

    /// <summary>Multipart uploads that no checkpoint speaks of: a crash before the first one, or a newer upload of the name.</summary>
    private async Task<int> TrimMultipartAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        var trimmed = 0;
        await foreach (var upload in store.Bucket.ListMultipartAsync(cancellationToken))
        {
            if (upload.Initiated >= before.UtcDateTime || live.All.Any(u => u.UploadId == upload.UploadId) || !FileName.TryParse(upload.Key, out var name, out _)) continue;
            if (await store.Checkpoints.FindAsync(S3Files.CheckpointOf(name), cancellationToken) is { } found && found.Checkpoint.UploadId == upload.UploadId) continue;
            await store.Bucket.AbortMultipartAsync(upload.Key, upload.UploadId);
            trimmed++;
        }

        return trimmed;
    }

    private async IAsyncEnumerable<(string Key, long Size, DateTimeOffset Modified)> KeysAsync(string prefix, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = "";
        for (var hasMore = true; hasMore;)
        {
            (var objects, hasMore) = await store.Bucket.ListAsync(prefix, after, MaxKeys, cancellationToken);
            if (objects.Count == 0) yield break;
            foreach (var o in objects) yield return (o.Key, o.Size ?? 0, new DateTimeOffset(o.LastModified?.ToUniversalTime() ?? DateTime.MaxValue.ToUniversalTime(), TimeSpan.Zero));
            after = prefix.Length == 0 ? S3Listing.Behind(objects[^1].Key) : objects[^1].Key;
        }
    }
}

using Perch.Stores;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>Takes away what was abandoned, and counts what is there.</summary>
internal sealed class S3Trimmer(S3FileStore store, S3Uploads live, TimeProvider time, RetentionClock retention)
{
    /// <summary>A count asks for every thousand objects once.</summary>
    private static readonly TimeSpan CountInterval = TimeSpan.FromMinutes(10);

    private const int MaxKeys = 1000;

    /// <summary>Idle uploads that one listing drops at a limit of their number: the next ones begin without a listing.</summary>
    private const int DroppedAtOnce = 20;

    private long? _counted;

    /// <returns>How many unfinished uploads were deleted.</returns>
    public async Task<int> TrimAsync(CancellationToken cancellationToken)
    {
        var before = retention.DueBefore(store.Options.AbandonAfter);
        var trimmed = await TrimCheckpointsAsync(before, cancellationToken) + await TrimMultipartAsync(before, cancellationToken);
        if (_counted is not { } counted || time.GetElapsedTime(counted) >= CountInterval) await CountAsync(cancellationToken);
        return trimmed;
    }

    /// <summary>Runs a reservation, again after each time that idle uploads were dropped to make room for it.</summary>
    /// <param name="own">Checkpoint of the upload that the reservation is for.</param>
    /// <param name="reserve">The reservation.</param>
    /// <exception cref="FileStoreException">The refusal, if no room can be made.</exception>
    public async Task BeginAsync(string own, Action reserve)
    {
        while (true)
        {
            try
            {
                reserve();
                return;
            }
            catch (FileStoreException refusal) when (refusal.Shortage is not null)
            {
                if (!await MakeRoomAsync(refusal, own)) throw;
            }
        }
    }

    /// <summary>Drops the uploads that were left first. One that another process may still write is not idle.</summary>
    /// <returns>False if dropping every idle upload would not make enough room: then none is dropped.</returns>
    private async Task<bool> MakeRoomAsync(FileStoreException refusal, string own)
    {
        var missing = refusal.Shortage!.Bytes;
        var (idle, sum) = (new List<(FileName Name, S3Checkpoint Checkpoint)>(), 0L);
        foreach (var key in await CheckpointsByAgeAsync())
        {
            if (missing == 0 ? idle.Count == DroppedAtOnce : sum >= missing) break;
            if (key == own || live.Newest(key) is not null || await store.Checkpoints.FindAsync(key, CancellationToken.None) is not { Checkpoint: { Writer: null } found }
                || !FileName.TryParse(found.Name, out var name, out _)) continue;
            idle.Add((name, found));
            sum += found.Length;
        }

        var dropped = sum >= missing ? idle.Count : 0;
        foreach (var (name, checkpoint) in idle.Take(dropped)) await store.Publisher.DropAsync(name, checkpoint);
        store.Totals.NoteShortage(refusal.Text, dropped);
        return dropped > 0;
    }

    private async Task<List<string>> CheckpointsByAgeAsync()
    {
        var keys = new List<(string Key, DateTimeOffset Modified)>();
        await foreach (var (key, _, modified) in KeysAsync(S3Files.Uploads, CancellationToken.None)) keys.Add((key, modified));
        return [.. keys.OrderBy(k => k.Modified).Select(k => k.Key)];
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

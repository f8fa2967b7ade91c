using Amazon.S3.Model;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>One page of names in their order, which is S3's. A listing of S3 has no metadata: each file is asked for, several at a time.</summary>
internal sealed class S3Listing(S3Bucket bucket, S3Files files, string prefix, int limit)
{
    private const int MaxKeys = 1000;
    private const int AtOnce = 16;

    public async Task<IReadOnlyList<StoredFile>> ReadAsync(string after, CancellationToken cancellationToken)
    {
        var page = new List<StoredFile>();
        for (var hasMore = true; hasMore && page.Count < limit;)
        {
            (var objects, hasMore) = await bucket.ListAsync(prefix, after, Math.Min(MaxKeys, limit - page.Count), cancellationToken);
            if (objects.Count == 0) break;
            page.AddRange(await FindAsync(objects, cancellationToken));
            after = Behind(objects[^1].Key);
        }

        return page;
    }

    /// <summary>Where to go on behind a key. The store's own are passed over at once: a slash is next to a dot, and no name begins with either.</summary>
    public static string Behind(string key) => key.StartsWith('.') ? "/" : key;

    private async Task<IEnumerable<StoredFile>> FindAsync(List<S3Object> objects, CancellationToken cancellationToken)
    {
        var found = new StoredFile?[objects.Count];
        await Parallel.ForAsync(0, objects.Count, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (i, cancelled) =>
        {
            if (!FileName.TryParse(objects[i].Key, out var name, out _)) return;
            try
            {
                found[i] = await files.FindAsync(name, cancelled);
            }
            catch (FileStoreException exception) when (exception.Code == "corrupt")
            {
                // Its reader is told; the list is of what can be read.
            }
        });
        return found.OfType<StoredFile>();
    }
}

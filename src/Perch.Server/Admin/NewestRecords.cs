using Perch.Records;

namespace Perch.Server.Admin;

/// <summary>Finds the newest records that match a query. Stores read forwards only, from an id.</summary>
internal static class NewestRecords
{
    /// <summary>A span that is too short is widened by this factor, so all reads together are a third longer than the last one.</summary>
    private const int Widening = 4;

    /// <summary>
    /// Ids are nearly consecutive, so the first span is as long as the limit; it is widened while too few of its records match. Only
    /// ids are kept, however long the records are.
    /// </summary>
    /// <returns>The id after which exactly the newest <see cref="RecordQuery.Limit"/> matching records are, or all of them.</returns>
    public static async Task<long> FindStartAsync(IRecordStore store, RecordQuery query, CancellationToken cancellationToken)
    {
        var last = await store.LastIdAsync(cancellationToken);
        var found = new Queue<long>(query.Limit);
        for (var span = (long)query.Limit; ; span = Math.Min(span, long.MaxValue / Widening) * Widening)
        {
            var after = Math.Max(query.After, last - span);
            found.Clear();
            await foreach (var record in store.ReadAsync(query with { After = after, Limit = int.MaxValue }, cancellationToken))
            {
                if (found.Count == query.Limit)
                    found.Dequeue();
                found.Enqueue(record.Id);
            }

            if (found.Count == query.Limit)
                return found.Peek() - 1;
            if (after == query.After)
                return after;
        }
    }
}

using System.Diagnostics;
using Perch.Diagnostics;

namespace Perch.Records;

/// <summary>
/// One queue and its commits, one after the other, each with everything that has come while the last one was on its way
/// to the disk. A connection stays in one lane, so that its records are stored in the order of their arrival.
/// </summary>
/// <param name="store">Where the commits go.</param>
/// <param name="options">The bounds of a transaction.</param>
/// <param name="queue">The lane's own.</param>
/// <param name="metrics">Gets the size of each commit.</param>
/// <param name="time">For the delay.</param>
/// <param name="onCommit">Called behind each commit, whether it stored or not.</param>
internal sealed class RecordLane(GuardedStore store, RecordsOptions options, RecordQueue queue, RecordMetrics metrics, TimeProvider time, Action onCommit)
{
    private readonly List<RecordBatch> _group = [];
    private long _commitStarted;

    public RecordQueue Queue => queue;

    /// <summary>When the oldest record that waits here was queued, in ticks of the time provider; 0 where none does.</summary>
    public long OldestQueuedAt =>
        // While the store opens, or trims, what waits is not in a transaction yet.
        Volatile.Read(ref _commitStarted) is var started && started != 0 ? started : queue.HeadQueuedAt;

    /// <summary>Ends when it is to stop and what was queued is committed.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await using var stop = stopping.UnsafeRegister(static queue => ((RecordQueue)queue!).Wake(), queue);
        while (true)
        {
            if (!stopping.IsCancellationRequested) await queue.WaitAsync();
            await GatherAsync(stopping);
            queue.Take(_group, options.CommitRecords, options.CommitBytes);
            if (_group.Count > 0) await CommitAsync();
            else if (stopping.IsCancellationRequested) return;
            else await store.MendAsync();
            await store.TrimAsync();
        }
    }

    /// <summary>Gives what there is the time to be joined by more.</summary>
    private Task GatherAsync(CancellationToken stopping) => options.CommitDelay > TimeSpan.Zero && !stopping.IsCancellationRequested && queue.Records > 0 && queue.Records < options.CommitRecords
        ? Task.Delay(options.CommitDelay, time, CancellationToken.None)
        : Task.CompletedTask;

    private async Task CommitAsync()
    {
        var (records, bytes, held) = (0L, 0L, 0L);
        foreach (var batch in _group) (records, bytes, held) = (records + batch.Count, bytes + batch.Bytes, held + batch.QueuedBytes);
        Volatile.Write(ref _commitStarted, _group[0].QueuedAt);
        try
        {
            var failure = await (PerchTracing.IsEnabled ? AppendTracedAsync(records) : store.AppendAsync(_group));
            if (failure is null) metrics.CommitSize.Record(records);
            // One that is complete is its connection's again; it may be full of other records by the next line.
            foreach (var batch in _group) batch.TryComplete(failure, here: _group.Count == 1);
        }
        finally
        {
            Volatile.Write(ref _commitStarted, 0);
            _group.Clear();
            queue.Release(records, bytes, held);
        }

        onCommit();
    }

    /// <remarks>The span is the parent of the store's spans. A commit belongs to many connections, so it links to their spans.</remarks>
    private async Task<RecordStoreException?> AppendTracedAsync(long records)
    {
        using var span = PerchTracing.StartLinked("record commit", _group.Select(batch => batch.Span));
        var failure = await store.AppendAsync(_group);
        span?.SetTag("perch.store", options.Store.ToString()).SetTag("perch.record.rows", records);
        if (failure is not null) span?.SetTag(PerchTracing.ErrorType, failure.Code).SetStatus(ActivityStatusCode.Error, failure.Message);
        return failure;
    }
}

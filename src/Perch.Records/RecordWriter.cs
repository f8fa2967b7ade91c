using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Perch.Records;

/// <summary>
/// Brings what the record endpoints have gathered to the store, in as many lanes as the store has writers, from the start
/// of the host until its endpoints have drained.
/// </summary>
internal sealed partial class RecordWriter : IHostedLifecycleService, IDisposable
{
    /// <summary>Bytes of free batches that all connections keep.</summary>
    private const long MaxKept = 32 * 1024 * 1024;

    private readonly RecordsOptions _options;
    private readonly RecordMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly GuardedStore _store;
    private readonly RecordStoreSize _size;
    private readonly ILogger _logger;
    private readonly RecordLane[] _lanes;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _needed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _committed;
    private uint _next;
    private long _kept;
    private Task _running = Task.CompletedTask;

    public RecordWriter(IRecordStore store, RecordsOptions options, RecordMetrics metrics, TimeProvider time, ILogger<RecordWriter> logger)
    {
        (_options, _metrics, _time) = (options, metrics, time);
        (_store, _size, _logger) = (new(store, metrics, time, logger), new(store, metrics, time), logger);
        _lanes = [.. Enumerable.Range(0, store.Writers).Select(_ => NewLane(store.Writers))];
        metrics.ObserveStore(() => Problem is null);
        metrics.Observe([.. _lanes.Select(lane => lane.Queue)], () => Oldest().TotalSeconds);
    }

    /// <summary>What becomes of a batch is counted by who tells its sender.</summary>
    public RecordMetrics Metrics => _metrics;

    /// <summary>How long a record may wait for its commit.</summary>
    public TimeSpan Timeout => _options.Timeout;

    /// <summary>Ends with the next commit.</summary>
    public Task Committed => (Volatile.Read(ref _committed) ?? NextCommit()).Task;

    /// <summary>Why records cannot be stored now, or null.</summary>
    public string? Problem => _store.Failure?.Message
        ?? (Oldest() is var oldest && oldest > _options.Timeout ? $"the store has not answered for {oldest.TotalSeconds:0} s" : null);

    /// <summary>Bytes of memory of the batches that wait for the store, and of those that connections keep for their next records.</summary>
    public long BytesHeld => _lanes.Sum(lane => lane.Queue.Held) + Interlocked.Read(ref _kept);

    /// <summary>Lets a connection keep the memory of a batch for its next records, unless all connections keep enough.</summary>
    public bool TryKeep(int bytes)
    {
        if (Interlocked.Add(ref _kept, bytes) <= MaxKept)
            return true;
        Interlocked.Add(ref _kept, -bytes);
        return false;
    }

    /// <summary>Ends what <see cref="TryKeep"/> allowed.</summary>
    public void EndKeep(int bytes) => Interlocked.Add(ref _kept, -bytes);

    /// <summary>Called by a handler: without one the store is not even opened.</summary>
    public void Need() => _needed.TrySetResult();

    /// <summary>The queue for one connection: what is in one queue is stored in its order. Connections take turns over the lanes.</summary>
    public RecordQueue NextQueue() => _lanes[(int)(Interlocked.Increment(ref _next) % (uint)_lanes.Length)].Queue;

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _running = RunAsync();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The endpoints have drained: what is queued is committed, then the store is closed by its owner.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _running.WaitAsync(cancellationToken);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _stopping.Dispose();
        _store.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            await _needed.Task.WaitAsync(_stopping.Token);
        }
        catch (OperationCanceledException)
        {
            // Stopped before anybody needed the store.
            return;
        }

        await using var tick = _time.CreateTimer(static lanes => Array.ForEach((RecordLane[])lanes!, lane => lane.Queue.Wake()), _lanes, GuardedStore.Tick, GuardedStore.Tick);
        // Now, and not with the first record: an operator knows from the start what a sender would be told.
        await _store.MendAsync();
        if (_options.Retention is { MaxAge.Ticks: 0, MaxRows: 0 })
            Log.NoRetention(_logger);
        await Task.WhenAll([.. _lanes.Select(lane => lane.RunAsync(_stopping.Token)), _size.RunAsync(_stopping.Token)]);
    }

    /// <summary>A lane has its share of the queue.</summary>
    private RecordLane NewLane(int lanes) => new(
        _store, _options, new(Math.Max(1, _options.QueueRecords / lanes), Math.Max(1, _options.QueueBytes / lanes)), _metrics, _time,
        () => Interlocked.Exchange(ref _committed, null)?.SetResult());

    private TaskCompletionSource NextCommit()
    {
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return Interlocked.CompareExchange(ref _committed, next, null) ?? next;
    }

    private TimeSpan Oldest()
    {
        var oldest = _lanes.Select(lane => lane.OldestQueuedAt).Where(queuedAt => queuedAt != 0).DefaultIfEmpty().Min();
        return oldest == 0 ? TimeSpan.Zero : _time.GetElapsedTime(oldest);
    }

    private static partial class Log
    {
        [LoggerMessage(
            4452, LogLevel.Warning,
            "Records are never deleted, so their database grows until the disk is full. Set Perch:Records:Retention:MaxAge or MaxRows, or "
                + "alert on perch_record_store_size_bytes",
            EventName = "RecordRetentionOff")]
        public static partial void NoRetention(ILogger logger);
    }
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Perch.Protocols.Record;

/// <summary>
/// Commits what the record endpoints have gathered: one transaction at a time, each with everything that has come while
/// the last one was on its way to the disk. While the store fails it refuses at once and tries the store once a second.
/// </summary>
internal sealed partial class RecordWriter : IHostedLifecycleService, IDisposable
{
    private const int TrimStep = 500;

    /// <summary>How often the store is tried while it fails, and retention while nothing is due.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly IRecordStore _store;
    private readonly RecordsOptions _options;
    private readonly RecordMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger<RecordWriter> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _needed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<RecordBatch> _group = [];
    private volatile RecordStoreException? _failure;
    private TaskCompletionSource? _committed;
    private long _commitStarted;
    private long _nextTry;
    private long _nextTrim;
    private bool _isOpen;
    private Task _running = Task.CompletedTask;

    public RecordWriter(IRecordStore store, RecordsOptions options, RecordMetrics metrics, TimeProvider time, ILogger<RecordWriter> logger)
    {
        (_store, _options, _metrics, _time, _logger) = (store, options, metrics, time, logger);
        Queue = new(options.QueueRecords, options.QueueBytes);
        metrics.Observe(Queue, () => Oldest().TotalSeconds);
    }

    public RecordQueue Queue { get; }

    /// <summary>What becomes of a batch is counted by who tells its sender.</summary>
    public RecordMetrics Metrics => _metrics;

    /// <summary>How long a record may wait for its commit.</summary>
    public TimeSpan Timeout => _options.Timeout;

    /// <summary>Ends with the next commit.</summary>
    public Task Committed => (Volatile.Read(ref _committed) ?? NextCommit()).Task;

    /// <summary>Why records cannot be stored now, or null.</summary>
    public string? Problem => _failure?.Message
        ?? (Oldest() is var oldest && oldest > _options.Timeout ? $"the store has not answered for {oldest.TotalSeconds:0} s" : null);

    /// <summary>Called by a handler: without one the store is not even opened.</summary>
    public void Need() => _needed.TrySetResult();

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

    public void Dispose() => _stopping.Dispose();

    private async Task RunAsync()
    {
        try
        {
            await _needed.Task.WaitAsync(_stopping.Token);
            await using var tick = _time.CreateTimer(static queue => ((RecordQueue)queue!).Wake(), Queue, Tick, Tick);
            // Now, and not with the first record: an operator knows from the start what a sender would be told.
            await MendAsync();
            await using var stop = _stopping.Token.UnsafeRegister(static queue => ((RecordQueue)queue!).Wake(), Queue);
            while (true)
            {
                if (!_stopping.IsCancellationRequested) await Queue.WaitAsync();
                await GatherAsync();
                Queue.Take(_group, _options.CommitRecords, _options.CommitBytes);
                if (_group.Count > 0) await CommitAsync();
                else if (_stopping.IsCancellationRequested) return;
                else await MendAsync();
                await TrimAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped before anybody needed the store.
        }
    }

    /// <summary>Gives what there is the time to be joined by more.</summary>
    private Task GatherAsync() => _options.CommitDelay > TimeSpan.Zero && !_stopping.IsCancellationRequested && Queue.Records > 0 && Queue.Records < _options.CommitRecords
        ? Task.Delay(_options.CommitDelay, _time, CancellationToken.None)
        : Task.CompletedTask;

    private async Task CommitAsync()
    {
        var (records, bytes) = (0L, 0L);
        foreach (var batch in _group) (records, bytes) = (records + batch.Count, bytes + batch.Bytes);
        Volatile.Write(ref _commitStarted, _group[0].QueuedAt);
        try
        {
            var failure = await AppendAsync();
            if (failure is null) _metrics.CommitSize.Record(records);
            // One that is complete is its connection's again; it may be full of other records by the next line.
            foreach (var batch in _group) batch.TryComplete(failure, here: _group.Count == 1);
        }
        finally
        {
            Volatile.Write(ref _commitStarted, 0);
            _group.Clear();
            Queue.Release(records, bytes);
        }

        Interlocked.Exchange(ref _committed, null)?.SetResult();
    }

    /// <returns>Null where the group is durable.</returns>
    private async Task<RecordStoreException?> AppendAsync()
    {
        if (!await MendAsync()) return _failure;
        var started = _time.GetTimestamp();
        try
        {
            await _store.AppendAsync(_group, CancellationToken.None);
            _metrics.CommitDuration.Record(_time.GetElapsedTime(started).TotalSeconds);
            return null;
        }
        catch (Exception exception)
        {
            return Fail(exception);
        }
    }

    /// <returns>Whether the store works, as far as is known.</returns>
    private async Task<bool> MendAsync()
    {
        if (_isOpen && _failure is null) return true;
        var now = _time.GetTimestamp();
        if (now < _nextTry) return false;
        try
        {
            await _store.OpenAsync(CancellationToken.None);
            if (_failure is not null) await _store.ProbeAsync(CancellationToken.None);
            _isOpen = true;
            if (_failure is not null) Log.Mended(_logger);
            _failure = null;
            return true;
        }
        catch (Exception exception)
        {
            Fail(exception);
            // From now on: it may have waited for a lock, and what gathered meanwhile is refused at once.
            _nextTry = _time.GetTimestamp() + (long)(Tick.TotalSeconds * _time.TimestampFrequency);
            return false;
        }
    }

    private RecordStoreException Fail(Exception exception)
    {
        var failure = exception as RecordStoreException ?? new RecordStoreException("unavailable", exception.Message, exception);
        if (_failure?.Message != failure.Message) Log.Failed(_logger, failure.Code, failure.Message, failure is { InnerException: not null } && exception is not RecordStoreException ? exception : null);
        _failure = failure;
        return failure;
    }

    /// <summary>A short step behind each commit while something is due, else once a second: ingest never waits for more than that.</summary>
    private async Task TrimAsync()
    {
        var now = _time.GetTimestamp();
        if (!_isOpen || _failure is not null || now < _nextTrim) return;
        try
        {
            var trimmed = await _store.TrimAsync(TrimStep, CancellationToken.None);
            _nextTrim = trimmed > 0 ? now : now + (long)(Tick.TotalSeconds * _time.TimestampFrequency);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
    }

    private TaskCompletionSource NextCommit()
    {
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return Interlocked.CompareExchange(ref _committed, next, null) ?? next;
    }

    private TimeSpan Oldest()
    {
        // While the store opens, or trims, what waits is not in a transaction yet.
        var queuedAt = Volatile.Read(ref _commitStarted) is var started && started != 0 ? started : Queue.HeadQueuedAt;
        return queuedAt == 0 ? TimeSpan.Zero : _time.GetElapsedTime(queuedAt);
    }

    private static partial class Log
    {
        [LoggerMessage(4450, LogLevel.Error, "Records cannot be stored ({Code}): {Problem}. Their senders are told; the store is tried once a second", EventName = "RecordStoreFailed")]
        public static partial void Failed(ILogger logger, string code, string problem, Exception? exception);

        [LoggerMessage(4451, LogLevel.Information, "Records are stored again", EventName = "RecordStoreMended")]
        public static partial void Mended(ILogger logger);
    }
}

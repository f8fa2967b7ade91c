using Microsoft.Extensions.Logging;

namespace Perch.Records;

/// <summary>The store, and whether it works. While it fails, records are refused at once and it is tried once a second.</summary>
internal sealed partial class GuardedStore(IRecordStore store, RecordMetrics metrics, TimeProvider time, ILogger logger) : IDisposable
{
    /// <summary>How often the store is tried while it fails, and retention while nothing is due.</summary>
    public static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private const int TrimStep = 500;

    private readonly SemaphoreSlim _mending = new(1);
    private readonly long _tick = (long)(Tick.TotalSeconds * time.TimestampFrequency);
    private volatile RecordStoreException? _failure;
    private volatile string? _reported;
    private volatile bool _isOpen;
    private long _nextTry;
    private long _nextTrim;
    private bool _isTrimming;

    /// <summary>Why it cannot store now, or null.</summary>
    public RecordStoreException? Failure => _failure;

    /// <returns>Null where the group is durable.</returns>
    public async Task<RecordStoreException?> AppendAsync(IReadOnlyList<RecordBatch> group)
    {
        if (await MendAsync() is { } failure) return failure;
        var started = time.GetTimestamp();
        try
        {
            await store.AppendAsync(group, CancellationToken.None);
            metrics.CommitDuration.Record(time.GetElapsedTime(started).TotalSeconds);
            // Not before: a store whose probe works may yet refuse every record.
            if (_reported is not null && Interlocked.Exchange(ref _reported, null) is not null) Log.Mended(logger);
            return null;
        }
        catch (Exception exception)
        {
            return Fail(exception);
        }
    }

    /// <summary>Opens the store where it is not open, and finds out whether it works where it failed.</summary>
    /// <returns>
    /// Null where it works, as far as is known; else why not, and not what <see cref="Failure"/> says by the time that the caller
    /// looks: another lane may have mended it, and nothing was stored for this one.
    /// </returns>
    public async ValueTask<RecordStoreException?> MendAsync()
    {
        if (_isOpen && _failure is null) return null;
        await _mending.WaitAsync();
        try
        {
            if (_isOpen && _failure is null) return null;
            return _failure is { } failure && time.GetTimestamp() < _nextTry ? failure : await TryMendAsync();
        }
        finally
        {
            _mending.Release();
        }
    }

    /// <summary>A short step of retention while something is due, else one a second: ingest never waits for more than that.</summary>
    public async ValueTask TrimAsync()
    {
        var now = time.GetTimestamp();
        if (!_isOpen || _failure is not null || now < Volatile.Read(ref _nextTrim) || Interlocked.Exchange(ref _isTrimming, true)) return;
        try
        {
            var trimmed = await store.TrimAsync(TrimStep, CancellationToken.None);
            Volatile.Write(ref _nextTrim, trimmed > 0 ? now : now + _tick);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
        finally
        {
            Volatile.Write(ref _isTrimming, false);
        }
    }

    public void Dispose() => _mending.Dispose();

    private async Task<RecordStoreException?> TryMendAsync()
    {
        try
        {
            await store.OpenAsync(CancellationToken.None);
            if (_failure is not null) await store.ProbeAsync(CancellationToken.None);
            _isOpen = true;
            _failure = null;
            return null;
        }
        catch (Exception exception)
        {
            // From now on: it may have waited for a lock, and what gathered meanwhile is refused at once.
            _nextTry = time.GetTimestamp() + _tick;
            return Fail(exception);
        }
    }

    private RecordStoreException Fail(Exception exception)
    {
        var failure = exception as RecordStoreException ?? new RecordStoreException("unavailable", exception.Message, exception);
        if (Interlocked.Exchange(ref _reported, failure.Message) != failure.Message)
            Log.Failed(logger, failure.Code, failure.Message, exception is RecordStoreException ? null : exception);
        _failure = failure;
        return failure;
    }

    private static partial class Log
    {
        [LoggerMessage(4450, LogLevel.Error, "Records cannot be stored ({Code}); their senders are told so, and the store is tried once a second: {Problem}", EventName = "RecordStoreFailed")]
        public static partial void Failed(ILogger logger, string code, string problem, Exception? exception);

        [LoggerMessage(4451, LogLevel.Information, "Records are stored again", EventName = "RecordStoreMended")]
        public static partial void Mended(ILogger logger);
    }
}

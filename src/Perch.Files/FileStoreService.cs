using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Perch.Files;

/// <summary>
/// Keeps the store open: tries once a second while it cannot be used, looks after it now and then while it can, and deletes
/// abandoned uploads. Nothing is opened before somebody needs it.
/// </summary>
internal sealed partial class FileStoreService : IHostedLifecycleService, IDisposable
{
    /// <summary>How often the store is tried while it fails.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    /// <summary>How often it is tried while it works; also how long it may take to answer.</summary>
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan TrimInterval = TimeSpan.FromMinutes(1);

    private readonly IFileStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger<FileStoreService> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _needed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile FileStoreException? _failure;
    private volatile bool _isOpen;
    private volatile bool _isSuspect;
    private long _asked;
    private string? _reported;
    private long _reportedDropped;
    private Task _running = Task.CompletedTask;

    public FileStoreService(IFileStore store, FileMetrics metrics, TimeProvider time, ILogger<FileStoreService> logger)
    {
        (_store, _time, _logger, Metrics) = (store, time, logger, metrics);
        metrics.ObserveStore(() => Problem is null);
        metrics.Observe(() => _store.Totals, () => _store.Limits);
    }

    public FileMetrics Metrics { get; }

    /// <summary>Why files cannot be stored now, or null.</summary>
    public string? Problem => _failure?.Message ?? _store.Totals.Fault
        ?? (Volatile.Read(ref _asked) is var asked and not 0 && _time.GetElapsedTime(asked) is var waited && waited > ProbeInterval ? $"the store has not answered for {waited.TotalSeconds:0} s" : null);

    /// <summary>The limit that uploads meet now: they are refused, or idle ones are dropped. Null if none is reached.</summary>
    public string? LimitReached => _store.Limits.Reached;

    /// <summary>Called by a handler: without one the store is not even opened.</summary>
    public void Need() => _needed.TrySetResult();

    /// <summary>The store, open. It may fail all the same; what it throws is for <see cref="Failed"/> too.</summary>
    /// <exception cref="FileStoreException"><c>unavailable</c>: it could not be opened yet.</exception>
    public async ValueTask<IFileStore> GetAsync()
    {
        if (_isOpen) return _store;
        Need();
        await _tried.Task;
        return _isOpen ? _store : throw FileStoreException.Unavailable(_failure?.Message ?? "the store is not open");
    }

    /// <summary>Something that was asked of the store failed.</summary>
    public void Failed(FileStoreException failure)
    {
        if (!failure.IsStoreFault) return;
        Metrics.Failed(failure.Code);
        if (failure.Code == "corrupt") Log.Corrupt(_logger, failure.Message);
        // Whether it is in trouble, or only this one request was too much for it, is found out at the next tick.
        else _isSuspect = true;
    }

    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _running = RunAsync();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        _tried.TrySetResult();
        await _running.WaitAsync(cancellationToken);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stopping.Dispose();

    private async Task RunAsync()
    {
        try
        {
            await _needed.Task.WaitAsync(_stopping.Token);
            using var timer = new PeriodicTimer(Tick, _time);
            var (probed, trimmed) = (_time.GetTimestamp(), _time.GetTimestamp());
            do
            {
                if (!_isOpen || _failure is not null || _isSuspect || _store.Totals.Fault is not null || _time.GetElapsedTime(probed) >= ProbeInterval)
                {
                    await TryAsync();
                    probed = _time.GetTimestamp();
                }

                _tried.TrySetResult();
                ReportLimits();
                if (!_isOpen || _time.GetElapsedTime(trimmed) < TrimInterval) continue;
                await TrimAsync();
                trimmed = _time.GetTimestamp();
            }
            while (await timer.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private async Task TryAsync()
    {
        _isSuspect = false;
        Volatile.Write(ref _asked, _time.GetTimestamp());
        try
        {
            await _store.OpenAsync(_stopping.Token);
            _isOpen = true;
            await _store.ProbeAsync(_stopping.Token);
            if (_failure is not null) Log.Mended(_logger);
            _failure = null;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Fail(exception);
        }
        finally
        {
            Volatile.Write(ref _asked, 0);
        }
    }

    /// <summary>One line when a limit is reached, and one when it is not any more.</summary>
    private void ReportLimits()
    {
        var limits = _store.Limits;
        if (limits.Reached is not null && _reported is null) Log.LimitReached(_logger, limits.Reached);
        if (limits.Reached is null && _reported is not null) Log.LimitLeft(_logger, limits.Dropped - _reportedDropped);
        if (limits.Reached is null) _reportedDropped = limits.Dropped;
        _reported = limits.Reached;
    }

    private async Task TrimAsync()
    {
        try
        {
            if (await _store.TrimAsync(_stopping.Token) is var trimmed and > 0) Log.Trimmed(_logger, trimmed);
        }
        catch (FileStoreException exception)
        {
            Failed(exception);
        }
    }

    private void Fail(Exception exception)
    {
        var failure = exception as FileStoreException ?? FileStoreException.Unavailable(exception.Message, exception);
        if (_failure?.Message != failure.Message) Log.Failed(_logger, failure.Code, failure.Message, exception is FileStoreException ? null : exception);
        Metrics.Failed(failure.Code);
        _failure = failure;
    }

    private static partial class Log
    {
        [LoggerMessage(4510, LogLevel.Error, "Files cannot be stored ({Code}); their senders are told so, and the store is tried once a second: {Problem}", EventName = "FileStoreFailed")]
        public static partial void Failed(ILogger logger, string code, string problem, Exception? exception);

        [LoggerMessage(4511, LogLevel.Information, "Files are stored again", EventName = "FileStoreMended")]
        public static partial void Mended(ILogger logger);

        [LoggerMessage(4512, LogLevel.Information, "{Count} abandoned uploads were deleted", EventName = "FileUploadsTrimmed")]
        public static partial void Trimmed(ILogger logger, int count);

        [LoggerMessage(4514, LogLevel.Warning, "A limit of the file store is reached: {Limit}. The oldest idle uploads are dropped for new ones; if none is idle, "
            + "new ones are refused", EventName = "FileLimitReached")]
        public static partial void LimitReached(ILogger logger, string limit);

        [LoggerMessage(4515, LogLevel.Information, "No limit of the file store is reached any more; {Dropped} idle uploads were dropped", EventName = "FileLimitLeft")]
        public static partial void LimitLeft(ILogger logger, long dropped);

        [LoggerMessage(4513, LogLevel.Error, "A file of the store is damaged: {Problem}", EventName = "FileCorrupt")]
        public static partial void Corrupt(ILogger logger, string problem);
    }
}

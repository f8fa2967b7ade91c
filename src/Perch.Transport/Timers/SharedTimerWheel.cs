using Microsoft.Extensions.Logging;

namespace Perch.Transport.Timers;

/// <summary>
/// One wheel for all connections that have no loop, such as those of Kestrel's sockets. One timer of the clock drives it; that
/// timer exists from the first start of a <see cref="WheelTimer"/> on.
/// </summary>
public sealed partial class SharedTimerWheel : IConnectionTimerFeature, IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private ITimer? _timer;
    private bool _isDisposed;

    /// <param name="time">The clock; its timer calls <see cref="WheelTimer.OnDue"/>.</param>
    /// <param name="logger">Gets the exceptions of timers.</param>
    public SharedTimerWheel(TimeProvider time, ILogger logger)
    {
        _time = time;
        Timers = new(time, Schedule, exception => Log.Threw(logger, exception));
    }

    /// <inheritdoc/>
    public TimerWheel Timers { get; }

    /// <summary>Timers that are pending are never due.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _timer?.Dispose();
        }
    }

    private void Run()
    {
        Timers.RunDue();
        Schedule();
    }

    private void Schedule()
    {
        lock (_lock)
        {
            if (_isDisposed)
                return;
            _timer ??= _time.CreateTimer(
                static wheel => ((SharedTimerWheel)wheel!).Run(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(TimeSpan.FromMilliseconds(Timers.MillisecondsToNext()), Timeout.InfiniteTimeSpan);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1120, LogLevel.Error, "A timer of a connection threw", EventName = "TimerThrew")]
        public static partial void Threw(ILogger logger, Exception exception);
    }
}

using Microsoft.Extensions.Time.Testing;

namespace Perch.Tests.Shared;

/// <summary>
/// A fake clock that counts its timers and reports each reading of the timestamp. The package's clock does neither: a test uses the
/// count to wait until the code under test waits, and the report to stop or cancel the code at the moment when it looks at the clock.
/// </summary>
internal sealed class ObservedTime : FakeTimeProvider
{
    private int _timers;

    /// <summary>Timers that are not disposed.</summary>
    public int Timers => Volatile.Read(ref _timers);

    /// <summary>Called with each reading of the timestamp.</summary>
    public Action? Reading { get; set; }

    public override long GetTimestamp()
    {
        var now = base.GetTimestamp();
        Reading?.Invoke();
        return now;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Interlocked.Increment(ref _timers);
        return new CountedTimer(this, base.CreateTimer(callback, state, dueTime, period));
    }

    private sealed class CountedTimer(ObservedTime time, ITimer timer) : ITimer
    {
        private bool _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

        public void Dispose()
        {
            timer.Dispose();
            if (!Interlocked.Exchange(ref _isDisposed, true))
                Interlocked.Decrement(ref time._timers);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

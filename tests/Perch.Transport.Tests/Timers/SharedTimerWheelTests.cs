using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using Perch.Tests.Shared;
using Perch.Transport.Timers;

namespace Perch.Transport.Tests.Timers;

public sealed class SharedTimerWheelTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Start_TheClockPasses_TimersAreCalledWithoutAThread()
    {
        using var log = new FakeLoggerProvider();
        using var wheel = new SharedTimerWheel(_time, log.CreateLogger("test"));
        var due = new List<string>();
        new TestTimer(wheel.Timers, _ => due.Add("late")).Start(TimeSpan.FromSeconds(30));
        new TestTimer(wheel.Timers, _ => due.Add("early")).Start(TimeSpan.FromMilliseconds(100));
        _time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.Empty(due);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(["early"], due);
        for (var i = 0; i < 299; i++)
            _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(["early", "late"], due);
    }

    [Fact]
    public void OnDue_Throws_IsLoggedAndTheWheelTurnsOn()
    {
        using var log = new FakeLoggerProvider();
        using var wheel = new SharedTimerWheel(_time, log.CreateLogger("test"));
        var timer = new TestTimer(wheel.Timers, static _ => throw new InvalidOperationException());
        timer.Start(TimeSpan.FromMilliseconds(10));
        _time.Advance(TimeSpan.FromMilliseconds(10));
        timer.Start(TimeSpan.FromMilliseconds(10));
        _time.Advance(TimeSpan.FromMilliseconds(10));
        Assert.Equal(2, timer.Count);
        Assert.Equal(2, log.Collector.Named("TimerThrew").Length);
    }

    [Fact]
    public void Dispose_TimerPending_IsNotDue()
    {
        using var log = new FakeLoggerProvider();
        var wheel = new SharedTimerWheel(_time, log.CreateLogger("test"));
        var timer = new TestTimer(wheel.Timers, static _ => { });
        timer.Start(TimeSpan.FromMilliseconds(10));
        wheel.Dispose();
        _time.Advance(TimeSpan.FromSeconds(1));
        timer.Start(TimeSpan.FromMilliseconds(10));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(0, timer.Count);
    }
}

using Perch.Transport.Timers;

namespace Perch.Transport.Tests.Timers;

/// <summary>A timer that calls a delegate.</summary>
internal sealed class TestTimer(TimerWheel wheel, Action<TestTimer> onDue) : WheelTimer(wheel)
{
    /// <summary>Number of times that the timer was due.</summary>
    public int Count { get; private set; }

    protected internal override void OnDue()
    {
        Count++;
        onDue(this);
    }
}

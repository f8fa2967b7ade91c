namespace Perch.Transport.Timers;

/// <summary>
/// Gives a handler the timers of its connection. A connection of the direct transport has the wheel of its loop. The host gives
/// every other connection the wheel that the process shares.
/// </summary>
public interface IConnectionTimerFeature
{
    /// <summary>The wheel to make a <see cref="WheelTimer"/> with. It outlives the connection.</summary>
    TimerWheel Timers { get; }
}

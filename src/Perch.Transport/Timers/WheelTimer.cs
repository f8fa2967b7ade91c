namespace Perch.Transport.Timers;

/// <summary>
/// A one-shot timer of a <see cref="TimerWheel"/>. Derive from it; an instance is used any number of times, and starting it
/// allocates nothing. All members may be called from any thread, also from <see cref="OnDue"/>.
/// </summary>
/// <param name="wheel">The wheel that the timer belongs to, for its whole life.</param>
public abstract class WheelTimer(TimerWheel wheel)
{
    /// <summary>Value of <see cref="List"/> while the timer is not started.</summary>
    internal const int NoList = -1;

    /// <summary>The list of the wheel that holds the timer. Guarded by the lock of the wheel, like the members below.</summary>
    internal int List { get; set; } = NoList;

    internal long DueStep { get; set; }

    internal WheelTimer? Next { get; set; }

    internal WheelTimer? Previous { get; set; }

    /// <summary>
    /// Starts the timer, or starts it again with the new delay if it is pending. <see cref="OnDue"/> is called once, not before
    /// the delay has passed and, unless the thread of the wheel is busy, at most 10 ms after that.
    /// </summary>
    /// <param name="delay">Zero or more; a delay of more than ten years counts as ten years.</param>
    /// <exception cref="ArgumentOutOfRangeException">The delay is negative.</exception>
    public void Start(TimeSpan delay) => wheel.Start(this, delay);

    /// <summary>Stops the timer.</summary>
    /// <returns>
    /// True if the timer was pending: <see cref="OnDue"/> is not called for the last start. False if the timer was not started, or
    /// <see cref="OnDue"/> has been called or is about to be called by the thread of the wheel.
    /// </returns>
    public bool Cancel() => wheel.Cancel(this);

    /// <summary>
    /// Called when the delay has passed: on the thread of the loop, or on the thread pool for a <see cref="SharedTimerWheel"/>.
    /// It must return at once, because all timers and connections of the loop wait for it. An exception is logged.
    /// </summary>
    protected internal abstract void OnDue();
}

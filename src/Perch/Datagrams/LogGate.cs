namespace Perch.Datagrams;

/// <summary>
/// Lets one log line through per interval, and counts those that it holds back: what peers can cause does not fill a disk. For any thread.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="interval">The shortest time between two lines. Default 1 second.</param>
public sealed class LogGate(TimeProvider time, TimeSpan? interval = null)
{
    private readonly long _interval = (long)((interval ?? TimeSpan.FromSeconds(1)).TotalSeconds * time.TimestampFrequency);
    private long _next = long.MinValue;
    private long _held;

    /// <summary>Asks whether a line may be logged now.</summary>
    /// <param name="held">How many were held back since the last one.</param>
    public bool TryPass(out long held)
    {
        held = 0;
        var (now, next) = (time.GetTimestamp(), Volatile.Read(ref _next));
        if (now < next || Interlocked.CompareExchange(ref _next, now + _interval, next) != next)
        {
            Interlocked.Increment(ref _held);
            return false;
        }

        held = Interlocked.Exchange(ref _held, 0);
        return true;
    }
}

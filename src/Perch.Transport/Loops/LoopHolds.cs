using Microsoft.Extensions.Logging;

namespace Perch.Transport.Loops;

/// <summary>How often what one listener accepted has held a loop; it is logged once a minute at most. Called on the watch's thread.</summary>
/// <param name="name">What the log calls the listener.</param>
/// <param name="onHeld">Told of each, or null.</param>
/// <param name="logger">Where it is logged.</param>
/// <param name="time">The clock of the minute.</param>
internal sealed partial class LoopHolds(string name, Action? onHeld, ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private long _count;
    private long? _logged;

    public long Count => Interlocked.Read(ref _count);

    public void Add()
    {
        var count = Interlocked.Increment(ref _count);
        onHeld?.Invoke();
        if (_logged is { } last && time.GetElapsedTime(last) < LogInterval) return;
        _logged = time.GetTimestamp();
        Log.Held(logger, name, LoopWatch.HoldMilliseconds, count);
    }

    private static partial class Log
    {
        [LoggerMessage(1102, LogLevel.Warning, "A handler of {Endpoint} holds a loop for more than {Milliseconds} ms, {Count} times until now: every connection of the loop waits for it. "
            + "Write \"Scheduling\": \"ThreadPool\" for the endpoint, or make it a BlockingHandler", EventName = "LoopHeld")]
        public static partial void Held(ILogger logger, string endpoint, int milliseconds, long count);
    }
}

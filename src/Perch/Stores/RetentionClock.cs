using Microsoft.Extensions.Logging;

namespace Perch.Stores;

/// <summary>
/// Decides whether the wall clock can be trusted to delete by age. When it jumps relative to the monotonic clock, nothing is due for
/// <see cref="Suspension"/>: a clock that is far ahead for a moment would delete everything.
/// </summary>
/// <remarks>Not for several threads at once: a store trims in one at a time.</remarks>
public sealed partial class RetentionClock
{
    /// <summary>Largest difference that is no jump: clocks are corrected a little, and a server's answer may take a while.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(1);

    /// <summary>Time after the last jump in which nothing is deleted by age.</summary>
    public static readonly TimeSpan Suspension = TimeSpan.FromHours(1);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private DateTimeOffset? _wall;
    private long _monotonic;
    private long? _jumped;

    private RetentionClock(TimeProvider time, ILogger logger) => (_time, _logger) = (time, logger);

    /// <summary>A clock for ages that this machine measures: a jump counts from now on.</summary>
    public static RetentionClock OfThisMachine(TimeProvider time, ILogger logger) =>
        new(time, logger) { _wall = time.GetUtcNow(), _monotonic = time.GetTimestamp() };

    /// <summary>A clock for ages that a server measures: a jump counts from the first time that the server reports.</summary>
    public static RetentionClock OfServer(TimeProvider time, ILogger logger) => new(time, logger);

    /// <summary>The time before which things of this age are due; <see cref="DateTimeOffset.MinValue"/> if nothing is.</summary>
    public DateTimeOffset DueBefore(TimeSpan age)
    {
        var now = _time.GetUtcNow();
        return IsSteady(now) && age < now - DateTimeOffset.MinValue ? now - age : DateTimeOffset.MinValue;
    }

    /// <param name="now">The wall clock whose past ages are measured: this machine's, or that of the server that deletes.</param>
    /// <returns>False for <see cref="Suspension"/> after a jump.</returns>
    public bool IsSteady(DateTimeOffset now)
    {
        var monotonic = _time.GetTimestamp();
        if (_wall is { } wall)
        {
            var jump = now - wall - _time.GetElapsedTime(_monotonic, monotonic);
            if (jump.Duration() > Tolerance)
            {
                Log.Jumped(_logger, jump, now, Suspension);
                _jumped = monotonic;
            }
        }

        (_wall, _monotonic) = (now, monotonic);
        if (_jumped is { } jumped && _time.GetElapsedTime(jumped, monotonic) >= Suspension)
            _jumped = null;
        return _jumped is null;
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 4460, Level = LogLevel.Warning, EventName = "RetentionSuspended", Message =
            "The wall clock jumped by {Jump}, to {Now}; nothing is deleted for its age for {Suspension}")]
        public static partial void Jumped(ILogger logger, TimeSpan jump, DateTimeOffset now, TimeSpan suspension);
    }
}

using System.Globalization;

namespace Perch.Protocols.Tests;

/// <summary>A clock that stands still until a test moves it.</summary>
internal sealed class ManualTime(string now = "2026-11-20T20:09:58Z") : TimeProvider
{
    private DateTimeOffset _now = DateTimeOffset.Parse(now, CultureInfo.InvariantCulture).ToUniversalTime();

    private TimeSpan _jumps;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => _now;

    public override long GetTimestamp() => (_now - _jumps).Ticks;

    public void Advance(TimeSpan by) => _now += by;

    /// <summary>The wall clock is set; the monotonic clock goes on.</summary>
    public void Jump(TimeSpan by)
    {
        _now += by;
        _jumps += by;
    }
}

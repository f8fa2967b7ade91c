using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;
using Perch.Stores;
using Perch.Tests.Shared;

namespace Perch.Tests.Stores;

public sealed class RetentionClockTests
{
    private readonly JumpingTime _time = new();

    [Fact]
    public void DueBefore_NoJump_IsTheAgeBeforeNow()
    {
        var clock = RetentionClock.OfThisMachine(_time, NullLogger.Instance);
        _time.Advance(TimeSpan.FromDays(3));
        Assert.Equal(_time.GetUtcNow() - TimeSpan.FromDays(1), clock.DueBefore(TimeSpan.FromDays(1)));
    }

    [Theory]
    [InlineData(400 * 86400)]
    [InlineData(-400 * 86400)]
    [InlineData(61)]
    [InlineData(-61)]
    public void DueBefore_Jump_IsNothingForAnHourAndLogged(int seconds)
    {
        using var log = new FakeLoggerProvider();
        var clock = RetentionClock.OfThisMachine(_time, log.CreateLogger(""));
        _time.Jump(TimeSpan.FromSeconds(seconds));
        Assert.Equal(DateTimeOffset.MinValue, clock.DueBefore(TimeSpan.FromDays(1)));
        _time.Advance(RetentionClock.Suspension - TimeSpan.FromSeconds(1));
        Assert.Equal(DateTimeOffset.MinValue, clock.DueBefore(TimeSpan.FromDays(1)));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.NotEqual(DateTimeOffset.MinValue, clock.DueBefore(TimeSpan.FromDays(1)));
        Assert.Single(log.Collector.Named("RetentionSuspended"));
    }

    [Theory]
    [InlineData(59)]
    [InlineData(-59)]
    public void DueBefore_Correction_IsNoJump(int seconds)
    {
        var clock = RetentionClock.OfThisMachine(_time, NullLogger.Instance);
        _time.Jump(TimeSpan.FromSeconds(seconds));
        Assert.NotEqual(DateTimeOffset.MinValue, clock.DueBefore(TimeSpan.FromDays(1)));
    }

    [Fact]
    public void IsSteady_ServerWithAnotherTime_IsSteadyUntilItJumps()
    {
        var clock = RetentionClock.OfServer(_time, NullLogger.Instance);
        var server = _time.GetUtcNow() + TimeSpan.FromDays(1);
        Assert.True(clock.IsSteady(server));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(clock.IsSteady(server + TimeSpan.FromSeconds(1)));
        Assert.False(clock.IsSteady(server + TimeSpan.FromDays(400)));
    }
}

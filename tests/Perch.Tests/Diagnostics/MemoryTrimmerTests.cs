using Microsoft.Extensions.Time.Testing;
using Perch.Diagnostics;

namespace Perch.Tests.Diagnostics;

public sealed class MemoryTrimmerTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Tick_IntervalHasPassed_TrimsThePoolsOnce()
    {
        var trims = 0;
        var trimmer = new MemoryTrimmer(_time);
        trimmer.Add(() => trims++);

        trimmer.Tick(0);
        Assert.Equal(0, trims);

        _time.Advance(MemoryTrimmer.Interval);
        trimmer.Tick(0);
        trimmer.Tick(0);
        Assert.Equal(1, trims);
    }

    [Fact]
    public void Relieve_HeapHasGrownByTheSlack_CollectsOnceASecond()
    {
        const long slack = 1024 * 1024;
        var trimmer = new MemoryTrimmer(_time);

        trimmer.Relieve(long.MaxValue);
        Assert.Equal(0, trimmer.Reliefs);

        var first = new byte[128 * slack];
        trimmer.Relieve(slack);
        Assert.Equal(1, trimmer.Reliefs);

        var second = new byte[128 * slack];
        trimmer.Relieve(slack);
        Assert.Equal(1, trimmer.Reliefs);

        _time.Advance(TimeSpan.FromSeconds(1));
        trimmer.Relieve(slack);
        Assert.Equal(2, trimmer.Reliefs);
        GC.KeepAlive(first);
        GC.KeepAlive(second);
    }
}

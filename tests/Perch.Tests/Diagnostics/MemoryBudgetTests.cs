using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Tests.Fakes;
using Perch.Transport;

namespace Perch.Tests.Diagnostics;

public sealed class MemoryBudgetTests : IDisposable
{
    private const long MiB = 1024 * 1024;
    private const long Budget = 100 * MiB;

    private readonly TestPipeline _pipeline = new();
    private readonly List<Peer> _peers = [];
    private readonly MemoryBudget _budget;
    private long _records;

    public MemoryBudgetTests()
    {
        _budget = new(_pipeline.Registry, _pipeline.Services.Metrics, _pipeline.Time, NullLogger<MemoryBudget>.Instance);
        _budget.Add(() => _peers.Sum(peer => peer.BytesOccupied));
        _budget.Add(() => _records);
        _budget.Set(Budget);
    }

    [Fact]
    public void Used_SeveralConsumers_IsTheirSum()
    {
        Connect(3 * MiB);
        _records = 2 * MiB;

        Assert.Equal(5 * MiB, _budget.Used);
    }

    [Fact]
    public void Plan_NothingIsConfigured_IsHalfOfTheMemory()
    {
        _budget.Set(null);

        Assert.Equal(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2, _budget.Plan.Budget);
    }

    [Fact]
    public void Tick_BelowTheBudget_DoesNothing()
    {
        var peer = Connect(Budget);

        Tick(TimeSpan.FromSeconds(60));

        Assert.False(peer.IsPaused);
        Assert.True(_budget.MayAccept());
        Assert.Equal((0, 0), (_budget.Refused, _budget.Ended));
    }

    [Fact]
    public void Tick_AboveTheBudget_PausesThoseWithMoreThanABlockAndRefusesToAccept()
    {
        var (large, small, idle) = (Connect(101 * MiB), Connect(64 * 1024), Connect(0));

        Tick();

        Assert.True(large.IsPaused);
        Assert.False(small.IsPaused);
        Assert.False(idle.IsPaused);
        Assert.Equal(1, _budget.Paused);
        Assert.False(_budget.MayAccept());
        Assert.Equal((1, 0), (_budget.Refused, _budget.Ended));
    }

    [Fact]
    public void MayAccept_AboveTheBudgetBeforeTheNextTick_Refuses()
    {
        Connect(101 * MiB);

        Assert.False(_budget.MayAccept());
    }

    [Fact]
    public void Tick_BetweenTheMarks_ResumesOnlyBelowNinetyPercent()
    {
        var peer = Connect(101 * MiB);
        Tick();

        peer.BytesOccupied = 96 * MiB;
        Tick();
        Assert.True(peer.IsPaused);
        Assert.False(_budget.MayAccept());

        peer.BytesOccupied = 91 * MiB;
        Tick();
        Assert.True(peer.IsPaused);
        Assert.True(_budget.MayAccept());

        peer.BytesOccupied = 89 * MiB;
        Tick();
        Assert.False(peer.IsPaused);
        Assert.Equal(0, _budget.Paused);
        Assert.True(_budget.MayAccept());
        Assert.Equal(0, _budget.Ended);
    }

    [Fact]
    public void Tick_AboveTheBudgetForASecond_EndsTheLargestUntilNinetyPercent()
    {
        Peer[] peers = [.. Enumerable.Range(1, 10).Select(i => Connect((9 * MiB) + i)), Connect(12 * MiB)];
        Tick();
        Assert.Equal(0, _budget.Ended);

        Tick(TimeSpan.FromSeconds(1));

        // 102 MiB less 12 MiB are 90 MiB and some bytes: one more has to end.
        Assert.Equal(2, _budget.Ended);
        Assert.Equal(ConnectionOutcome.MemoryPressure, peers[^1].State.Outcome);
        Assert.Equal(ConnectionOutcome.MemoryPressure, peers[9].State.Outcome);
        Assert.True(peers[^1].IsAborted);
        // Its memory is free when its handler has noticed: nothing else ends until then.
        Tick();
        Assert.Equal(2, _budget.Ended);
    }

    [Fact]
    public void Tick_FarAboveTheBudget_EndsAtOnce()
    {
        Connect(111 * MiB);

        Tick();

        Assert.Equal(1, _budget.Ended);
    }

    [Fact]
    public void Tick_StaysBetweenTheMarks_EndsTheLargestAfterFiveSeconds()
    {
        var peer = Connect(101 * MiB);
        Tick();
        peer.BytesOccupied = 95 * MiB;

        Tick(TimeSpan.FromSeconds(4));
        Assert.Equal(0, _budget.Ended);

        Tick(TimeSpan.FromSeconds(1));
        Assert.Equal(1, _budget.Ended);
    }

    [Fact]
    public void Tick_SmallConnections_EndsOnlyThoseThatStandStill()
    {
        var (moving, still) = (Connect(4096), Connect(4096));
        _records = 101 * MiB;
        Tick();
        moving.Progress.BytesReceived++;

        Tick(TimeSpan.FromSeconds(1));

        Assert.Equal(ConnectionOutcome.MemoryPressure, still.State.Outcome);
        Assert.Null(moving.State.Outcome);
    }

    [Fact]
    public void Tick_HandlersHoldTheMemory_EndsTheConnectionsThatHoldMost()
    {
        var (small, large) = (Connect(0), Connect(0));
        small.State.CountMemory(10 * MiB);
        large.State.CountMemory(101 * MiB);
        _records = 111 * MiB;

        Tick();

        Assert.True(small.IsPaused);
        Assert.Equal(ConnectionOutcome.MemoryPressure, large.State.Outcome);
        Assert.Null(small.State.Outcome);
    }

    [Fact]
    public void Set_LargerBudgetUnderPressure_Resumes()
    {
        var peer = Connect(101 * MiB);
        Tick();

        _budget.Set(2 * Budget);
        Tick();

        Assert.False(peer.IsPaused);
        Assert.True(_budget.MayAccept());
    }

    [Fact]
    public async Task CheckHealth_Refusing_IsRedAndNamesTheKey()
    {
        var check = new MemoryHealthCheck(_budget);
        Assert.Equal(HealthStatus.Healthy, (await check.CheckHealthAsync(new())).Status);
        Connect(101 * MiB);
        Tick();

        var result = await check.CheckHealthAsync(new());

        Assert.Equal(HealthStatus.Unhealthy, result.Status);
        Assert.Contains("Perch:MemoryBudget", result.Description, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _budget.Dispose();
        _pipeline.Dispose();
    }

    private void Tick(TimeSpan after = default)
    {
        _pipeline.Time.Advance(after);
        _budget.Tick();
    }

    private Peer Connect(long bytes)
    {
        var traffic = _pipeline.Registry.TrafficOf("test", "test");
        var peer = new Peer { BytesOccupied = bytes };
        peer.State = new(peer, traffic, _pipeline.Time) { Progress = peer.Progress };
        traffic.Add(peer.State);
        _peers.Add(peer);
        return peer;
    }

    private sealed class Peer : DefaultConnectionContext, IConnectionMemoryFeature
    {
        public long BytesOccupied { get; set; }

        public bool HasRunOut { get; set; }

        public bool IsPaused { get; private set; }

        public bool IsAborted { get; private set; }

        public CountedProgress Progress { get; } = new();

        public ConnectionState State { get; set; } = null!;

        public void PauseReading() => IsPaused = true;

        public void ResumeReading() => IsPaused = false;

        public override void Abort(ConnectionAbortedException abortReason) => IsAborted = true;
    }
}

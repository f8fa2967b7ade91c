using Microsoft.Extensions.Time.Testing;
using Perch.Configuration;
using Perch.Diagnostics;
using Perch.Tests.Fakes;

namespace Perch.Tests.Diagnostics;

public sealed class DescriptorBudgetTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly DescriptorPlan _plan = new(1024);
    private long _open = 256;

    [Theory]
    [InlineData(420, 2, 3, 266, 52, 26, 44)]
    [InlineData(420, 2, 17, 294, 52, 26, 16)]
    [InlineData(1024, 2, 3, 266, 128, 64, 534)]
    [InlineData(1024, 64, 17, 418, 128, 64, 382)]
    [InlineData(8192, 2, 3, 266, 256, 256, 7382)]
    [InlineData(65536, 2, 3, 266, 256, 256, 64726)]
    public void Plan_OfALimit_AddsUpToIt(int limit, int loops, int endpoints, int runtime, int admin, int transfers, int connections)
    {
        var plan = new DescriptorPlan(limit).For(loops, endpoints);

        Assert.Equal((runtime, admin, transfers, connections), (plan.Runtime, plan.Admin, plan.Transfers, plan.Connections));
        Assert.Equal(limit, plan.Runtime + DescriptorPlan.Floor + plan.Admin + plan.Transfers + plan.Connections);
        Assert.False(plan.IsTooSmall);
    }

    [Theory]
    [InlineData(256, 2, 0)]
    [InlineData(360, 2, 3)]
    [InlineData(420, 64, 3)]
    public void Plan_OfASmallLimit_IsTooSmall(int limit, int loops, int endpoints) => Assert.True(new DescriptorPlan(limit).For(loops, endpoints).IsTooSmall);

    [Theory]
    [InlineData(1024, 10, 10, false)]
    [InlineData(1024, 300, 300, false)]
    [InlineData(1024, 335, 335, false)]
    [InlineData(1024, 336, 335, true)]
    [InlineData(1024, int.MaxValue, 335, true)]
    [InlineData(420, 60, 52, true)]
    [InlineData(null, 5_000_000, 5_000_000, false)]
    public void Plan_AdminConnectionsOfTheConfiguration_AreHalfOfTheRestAtMost(int? limit, int wanted, int admin, bool isReduced)
    {
        var plan = new DescriptorPlan(limit, wanted, loops: 1);

        Assert.Equal((admin, isReduced), (plan.Admin, plan.IsAdminReduced));
        Assert.True(plan.Connections > 0);
    }

    [Theory]
    [InlineData(18_000, null)]
    [InlineData(18_000, 5_000)]
    [InlineData(1, 5_000)]
    public void LimitFor_ConnectionsAndAdmin_AllowsBoth(int connections, int? admin)
    {
        var needed = new DescriptorPlan(1024, admin, loops: 4, endpoints: 3).LimitFor(connections);
        var plan = new DescriptorPlan(needed, admin, loops: 4, endpoints: 3);

        Assert.True(plan.Connections >= connections, plan.ToString());
        Assert.False(plan.IsAdminReduced);
    }

    [Fact]
    public void Warnings_CapsAboveTheLimit_NameTheKeysAndALimitThatIsEnough()
    {
        var plan = new DescriptorPlan(1024, 5_000, loops: 1, endpoints: 1);

        Assert.Collection(
            DescriptorCheck.Warnings(plan, 18_000),
            connections => Assert.StartsWith("Perch:MaxConnections is 18000, more than there are descriptors for: limit of open files 1024 = 260 runtime + ", connections, StringComparison.Ordinal),
            admin => Assert.StartsWith("Kestrel:Limits:MaxConcurrentConnections asks for more", admin, StringComparison.Ordinal));
        Assert.All(DescriptorCheck.Warnings(plan, 18_000), w => Assert.Contains("Raise the limit of open files to 23548 ", w, StringComparison.Ordinal));
        Assert.Empty(DescriptorCheck.Warnings(new(23548, 5_000, loops: 1, endpoints: 1), 18_000));
        Assert.Empty(DescriptorCheck.Warnings(new(1024), null));
    }

    [Fact]
    public void TryEnter_PlannedConnectionsAreOpen_RefusesTheNextUntilOneLeaves()
    {
        _open = _plan.Runtime;
        using var budget = Create();
        for (var i = 0; i < _plan.Connections; i++)
            Assert.True(budget.TryEnter());

        Assert.False(budget.TryEnter());
        Assert.True(budget.IsExhausted);
        Assert.Equal(1, budget.Refused(DescriptorHolder.Connection));

        budget.Leave();
        Assert.True(budget.TryEnter());
    }

    [Fact]
    public void TryTake_ConnectionsAreRefused_StillHasThePartOfTransfers()
    {
        using var budget = Create();
        while (budget.TryEnter())
        {
        }

        Assert.True(budget.TryTake(_plan.Transfers, out var claim));
        Assert.False(budget.TryTake(1, out _));
        Assert.False(budget.TryTakeSession());
        Assert.Equal((1, 1), (budget.Refused(DescriptorHolder.Transfer), budget.Refused(DescriptorHolder.Session)));

        budget.Return(claim);
        Assert.True(budget.TryTakeSession());
    }

    [Fact]
    public void Return_FewerWereOpenThanTaken_MakesNoRoomThatDoesNotExist()
    {
        using var budget = Create();
        var claims = new List<DescriptorClaim>();
        while (budget.TryTake(3, out var claim))
            claims.Add(claim);
        Assert.True(claims.Count > 100);

        // Each has opened one of its three.
        _open = 256 + claims.Count;
        budget.Recount();
        claims.ForEach(budget.Return);
        Assert.True(budget.Used >= 256, $"{budget.Used}");

        _open = 256;
        budget.Recount();
        Assert.Equal(256, budget.Used);
    }

    [Fact]
    public void Recount_OthersHaveOpenedAndClosed_CountsThemToo()
    {
        using var budget = Create();

        _open = 1024 - DescriptorPlan.Floor;
        budget.Recount();
        Assert.False(budget.TryEnter());
        Assert.False(budget.TryTake(1, out _));

        _open = 256;
        budget.Recount();
        Assert.True(budget.TryEnter());
    }

    [Fact]
    public void Recount_ConnectionsEndDuringTheCount_NeverCountsTooFew()
    {
        DescriptorBudget? budget = null;
        var isCounting = false;
        using var created = budget = new DescriptorBudget(_plan, Count, _pipeline.Services.Metrics, new FakeTimeProvider());
        for (var i = 0; i < 200; i++)
            Assert.True(budget.TryEnter());
        isCounting = true;

        // 200 connections are open before the count, and none after it: the count does not have them.
        budget.Recount();
        Assert.Equal(256, budget.Used);
        isCounting = false;
        budget.Recount();
        Assert.Equal(256, budget.Used);

        long? Count()
        {
            for (var i = 0; isCounting && i < 200; i++)
                budget!.Leave();
            return 256;
        }
    }

    [Fact]
    public void TryEnter_LimitIsNotKnown_NeverRefuses()
    {
        using var budget = new DescriptorBudget(new(limit: null), () => null, _pipeline.Services.Metrics, new FakeTimeProvider());
        for (var i = 0; i < 100_000; i++)
            Assert.True(budget.TryEnter());
    }

    public void Dispose() => _pipeline.Dispose();

    private DescriptorBudget Create() => new(_plan, () => _open, _pipeline.Services.Metrics, new FakeTimeProvider());
}

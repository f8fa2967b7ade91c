using Microsoft.Extensions.Time.Testing;
using Perch.Diagnostics;
using Perch.Tests.Fakes;

namespace Perch.Tests.Diagnostics;

public sealed class DescriptorBudgetTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly DescriptorPlan _plan = new(1024);
    private long _open = DescriptorPlan.Runtime;

    [Theory]
    [InlineData(420, 52, 26, 54)]
    [InlineData(1024, 128, 64, 544)]
    [InlineData(8192, 256, 256, 7392)]
    [InlineData(65536, 256, 256, 64736)]
    public void Plan_OfALimit_AddsUpToIt(int limit, int admin, int transfers, int connections)
    {
        var plan = new DescriptorPlan(limit);

        Assert.Equal((admin, transfers, connections), (plan.Admin, plan.Transfers, plan.Connections));
        Assert.Equal(limit, DescriptorPlan.Runtime + DescriptorPlan.Floor + plan.Admin + plan.Transfers + plan.Connections);
        Assert.False(plan.IsTooSmall);
    }

    [Theory]
    [InlineData(256)]
    [InlineData(360)]
    public void Plan_OfASmallLimit_IsTooSmall(int limit) => Assert.True(new DescriptorPlan(limit).IsTooSmall);

    [Fact]
    public void LimitFor_Connections_AllowsThem() => Assert.True(new DescriptorPlan(DescriptorPlan.LimitFor(18_000)).Connections >= 18_000);

    [Fact]
    public void TryEnter_PlannedConnectionsAreOpen_RefusesTheNextUntilOneLeaves()
    {
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

        Assert.True(budget.TryTake(_plan.Transfers));
        Assert.False(budget.TryTake(1));
        Assert.False(budget.TryTakeSession());
        Assert.Equal((1, 1), (budget.Refused(DescriptorHolder.Transfer), budget.Refused(DescriptorHolder.Session)));

        budget.Return(_plan.Transfers);
        Assert.True(budget.TryTakeSession());
    }

    [Fact]
    public void Recount_OthersHaveOpenedAndClosed_CountsThemToo()
    {
        using var budget = Create();

        _open = 1024 - DescriptorPlan.Floor;
        budget.Recount();
        Assert.False(budget.TryEnter());
        Assert.False(budget.TryTake(1));

        _open = DescriptorPlan.Runtime;
        budget.Recount();
        Assert.True(budget.TryEnter());
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

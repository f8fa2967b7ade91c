using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

/// <summary>A connection counts for as long as it holds a socket.</summary>
public sealed class CloseTests : IDisposable
{
    private static readonly TimeSpan WriteTimeout = TimeSpan.FromMinutes(1);

    private readonly TestPipeline _pipeline = new() { TotalConnections = 1, Guards = new() { WriteTimeout = WriteTimeout } };
    private readonly InMemoryConnection _connection = new() { ClosesByItself = false };

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Close_TransportStillSends_HoldsTheSlotUntilItHas()
    {
        var serving = _pipeline.ServeAsync(_ => Task.CompletedTask, _connection);

        Assert.Equal(ConnectionOutcome.Rejected, await NextOutcomeAsync());
        Assert.Equal(1, _pipeline.Totals.Active);
        _connection.FinishClosing();
        await serving.Soon();
        Assert.Equal(ConnectionOutcome.Completed, _pipeline.Registry.Recent()[0].Outcome);
        Assert.Equal(ConnectionOutcome.Completed, await NextOutcomeAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Close_PeerNeverReads_IsCutByTheWriteTimeout(bool outcomeNamed)
    {
        var serving = _pipeline.ServeAsync(
            async c =>
            {
                await c.Transport.Output.WriteAsync(new byte[10]);
                if (outcomeNamed) c.Features.Get<IPerchConnectionFeature>()!.TrySetOutcome(ConnectionOutcome.Completed);
            },
            _connection);
        _connection.Heartbeat();
        _pipeline.Pass(WriteTimeout - TimeSpan.FromSeconds(1), _connection);
        Assert.Null(_connection.AbortReason);
        Assert.Equal(ConnectionOutcome.Rejected, await NextOutcomeAsync());

        _pipeline.Pass(TimeSpan.FromSeconds(1), _connection);
        await serving.Soon();

        Assert.NotNull(_connection.AbortReason);
        Assert.Equal(ConnectionOutcome.WriteTimeout, _pipeline.Registry.Recent()[0].Outcome);
        Assert.Equal(ConnectionOutcome.Completed, await NextOutcomeAsync());
    }

    [Fact]
    public async Task Close_OutcomeOfAFaultNamedBefore_IsKeptWhenTheHostCuts()
    {
        var serving = _pipeline.ServeAsync(
            c =>
            {
                c.Features.Get<IPerchConnectionFeature>()!.TrySetOutcome(ConnectionOutcome.StorageUnavailable);
                return Task.CompletedTask;
            },
            _connection);
        _connection.Heartbeat();
        _pipeline.Pass(WriteTimeout, _connection);
        await serving.Soon();

        Assert.Equal(ConnectionOutcome.StorageUnavailable, _pipeline.Ended.Outcome);
    }

    private async Task<ConnectionOutcome> NextOutcomeAsync()
    {
        await _pipeline.ServeAsync(_ => Task.CompletedTask, new InMemoryConnection()).Soon();
        return _pipeline.Registry.Recent()[0].Outcome;
    }
}

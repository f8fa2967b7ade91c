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

    private async Task<ConnectionOutcome> NextOutcomeAsync()
    {
        await _pipeline.ServeAsync(_ => Task.CompletedTask, new InMemoryConnection()).Soon();
        return _pipeline.Registry.Recent()[0].Outcome;
    }
}

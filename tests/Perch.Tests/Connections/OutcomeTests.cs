using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;
using Perch.Wire;

namespace Perch.Tests.Connections;

public sealed class OutcomeTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly InMemoryConnection _connection = new();

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Serve_HandlerReturns_Completed()
    {
        await _pipeline.ServeAsync(_ => Task.CompletedTask, _connection).Soon();

        AssertEnded(ConnectionOutcome.Completed);
        Assert.Null(_connection.AbortReason);
        Assert.True(_connection.ConnectionClosed.IsCancellationRequested);
    }

    [Fact]
    public async Task Serve_PeerClosesItsSide_PeerClosed()
    {
        _connection.EndInput();
        await _pipeline.ServeAsync(ReadOnceAsync, _connection).Soon();

        AssertEnded(ConnectionOutcome.PeerClosed);
        Assert.Null(_connection.AbortReason);
    }

    [Fact]
    public async Task Serve_PeerResetsDuringARead_PeerReset()
    {
        var serving = _pipeline.ServeAsync(ReadOnceAsync, _connection);
        _connection.Reset();
        await serving.Soon();

        AssertEnded(ConnectionOutcome.PeerReset);
    }

    [Fact]
    public async Task Serve_PeerIsGoneAtAWrite_PeerReset()
    {
        _connection.ClientInput.Complete();
        await _pipeline.ServeAsync(async c => await c.Transport.Output.WriteAsync(new byte[1]), _connection).Soon();

        AssertEnded(ConnectionOutcome.PeerReset);
    }

    [Fact]
    public async Task Serve_ConnectionClosesWhileTheHandlerComputes_PeerReset()
    {
        var serving = _pipeline.ServeAsync(c => Task.Delay(Timeout.Infinite, c.ConnectionClosed), _connection);
        _connection.Reset();
        await serving.Soon();

        AssertEnded(ConnectionOutcome.PeerReset);
    }

    [Fact]
    public async Task Serve_ProtocolException_ProtocolViolationWithoutAReset()
    {
        await _pipeline.ServeAsync(_ => throw new ProtocolException("malformed", "No."), _connection).Soon();

        AssertEnded(ConnectionOutcome.ProtocolViolation);
        Assert.Null(_connection.AbortReason);
    }

    [Fact]
    public async Task Serve_HandlerThrows_HandlerFaultAndAReset()
    {
        await _pipeline.ServeAsync(_ => throw new InvalidOperationException("x"), _connection).Soon();

        AssertEnded(ConnectionOutcome.HandlerFault);
        Assert.NotNull(_connection.AbortReason);
    }

    [Fact]
    public async Task Serve_HandlersOwnCancellation_HandlerFaultAndAReset()
    {
        // As an HttpClient does when its own timeout has passed.
        await _pipeline.ServeAsync(_ => throw new TaskCanceledException(), _connection).Soon();

        AssertEnded(ConnectionOutcome.HandlerFault);
        Assert.NotNull(_connection.AbortReason);
    }

    [Fact]
    public async Task Serve_HandlerReturnsOnDrain_Drained()
    {
        var serving = _pipeline.ServeAsync(ReadOnceAsync, _connection);
        _connection.RequestClose();
        _connection.Transport.Input.CancelPendingRead();
        await serving.Soon();

        AssertEnded(ConnectionOutcome.Drained);
    }

    [Fact]
    public async Task Serve_HandlerIsCancelledByTheDrain_DrainedWithoutAReset()
    {
        var serving = _pipeline.ServeAsync(
            c => Task.Delay(Timeout.Infinite, c.Features.Get<IConnectionLifetimeNotificationFeature>()!.ConnectionClosedRequested), _connection);
        _connection.RequestClose();
        await serving.Soon();

        AssertEnded(ConnectionOutcome.Drained);
        Assert.Null(_connection.AbortReason);
    }

    [Fact]
    public async Task Serve_AbortedWhileDraining_DrainAborted()
    {
        var serving = _pipeline.ServeAsync(ReadOnceAsync, _connection);
        _connection.RequestClose();
        _connection.Abort(new ConnectionAbortedException());
        await serving.Soon();

        AssertEnded(ConnectionOutcome.DrainAborted);
    }

    [Fact]
    public async Task Serve_ServicesThrowAsTheyAreDisposedOf_EndsAllTheSame()
    {
        using var pipeline = new TestPipeline { Leave = () => throw new InvalidOperationException("by the test") };
        await pipeline.ServeAsync(_ => Task.CompletedTask, _connection).Soon();

        Assert.Equal(ConnectionOutcome.Completed, pipeline.Ended.Outcome);
        Assert.True(_connection.ConnectionClosed.IsCancellationRequested);
    }

    [Fact]
    public async Task Serve_OutcomeNamedByTheHandler_IsNotReplaced()
    {
        var later = true;
        await _pipeline.ServeAsync(
            c =>
            {
                var feature = c.Features.Get<IPerchConnectionFeature>()!;
                Assert.Equal(("test", "test"), (feature.Endpoint, feature.Protocol));
                Assert.True(feature.TrySetOutcome(ConnectionOutcome.StorageUnavailable));
                later = feature.TrySetOutcome(ConnectionOutcome.Completed);
                throw new IOException();
            },
            _connection).Soon();

        AssertEnded(ConnectionOutcome.StorageUnavailable);
        Assert.False(later);
    }

    private static async Task ReadOnceAsync(ConnectionContext connection)
    {
        var read = await connection.Transport.Input.ReadAsync();
        connection.Transport.Input.AdvanceTo(read.Buffer.End);
    }

    private void AssertEnded(ConnectionOutcome outcome)
    {
        var totals = _pipeline.Totals;
        Assert.Equal(outcome, _pipeline.Ended.Outcome);
        Assert.Equal(1, totals.Ended[(int)outcome]);
        Assert.Equal((0, 1, 1), (totals.Active, totals.Accepted, totals.Ended.Sum()));
    }
}

using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

public sealed class TimeoutTests : IDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly TestPipeline _pipeline = new()
    {
        Guards = new() { FirstByteTimeout = Minute, IdleTimeout = 10 * Minute, WriteTimeout = 2 * Minute },
    };

    // Everything runs in line: when a call returns, the handler waits again.
    private readonly InMemoryConnection _connection = new(pauseThreshold: 64, PipeScheduler.Inline);

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Sweep_ManyConnections_EndsThoseThatStoodStillAndNoOther()
    {
        InMemoryConnection[] connections = [.. Enumerable.Range(0, 40).Select(_ => new InMemoryConnection(pauseThreshold: 64, PipeScheduler.Inline))];
        var serving = connections.Select(connection => _pipeline.ServeAsync(EchoAsync, connection)).ToArray();
        foreach (var connection in connections.Take(20)) await connection.SendAsync("x");
        _pipeline.Time.Advance(Minute);
        _pipeline.Registry.Tick((_, exception) => Assert.Fail(exception.Message));

        await Task.WhenAll(serving.Skip(20)).Soon();
        Assert.All(serving.Take(20), task => Assert.False(task.IsCompleted));
        Assert.All(_pipeline.Registry.Recent(), ended => Assert.Equal(ConnectionOutcome.FirstByteTimeout, ended.Outcome));
        Assert.Equal((20, 20), (_pipeline.Registry.Recent().Length, _pipeline.Totals.Active));
    }

    [Fact]
    public async Task Heartbeat_NoFirstByte_FirstByteTimeout()
    {
        var serving = _pipeline.ServeAsync(EchoAsync, _connection);

        await AssertCutAsync(serving, Minute, ConnectionOutcome.FirstByteTimeout);
    }

    [Fact]
    public async Task Heartbeat_ServerSpeaksFirst_IdleTimeoutOnly()
    {
        var serving = _pipeline.ServeAsync(new Speaker(), _connection);

        await AssertCutAsync(serving, 10 * Minute, ConnectionOutcome.IdleTimeout);
    }

    [Fact]
    public async Task Heartbeat_FirstByteLongAgo_IdleTimeout()
    {
        var serving = _pipeline.ServeAsync(EchoAsync, _connection);
        await _connection.SendAsync("a");
        _connection.Heartbeat();

        await AssertCutAsync(serving, 10 * Minute, ConnectionOutcome.IdleTimeout);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Heartbeat_TrafficEitherWay_RestartsTheIdleClock(bool received)
    {
        IDuplexPipe? transport = null;
        var serving = _pipeline.ServeAsync(
            c =>
            {
                transport = c.Transport;
                return SinkAsync(c);
            },
            _connection);
        await _connection.SendAsync("a");
        for (var i = 0; i < 3; i++)
        {
            _pipeline.Pass(10 * Minute - Second, _connection);
            Assert.Null(_connection.AbortReason);
            if (received) await _connection.SendAsync("b");
            else await transport!.Output.WriteAsync(new byte[1]);
            _connection.Heartbeat();
        }

        await AssertCutAsync(serving, 10 * Minute, ConnectionOutcome.IdleTimeout);
    }

    [Fact]
    public async Task Heartbeat_HandlerIsBusy_NoTimeoutAndTheIdleClockStandsStill()
    {
        var work = new TaskCompletionSource();
        var serving = _pipeline.ServeAsync(
            async c =>
            {
                c.Transport.Input.AdvanceTo((await c.Transport.Input.ReadAsync()).Buffer.End);
                await work.Task;
                await SinkAsync(c);
            },
            _connection);
        await _connection.SendAsync("a");
        _connection.Heartbeat();
        _pipeline.Pass(60 * Minute, _connection);
        Assert.Null(_connection.AbortReason);
        work.SetResult();
        _connection.Heartbeat();

        Assert.Null(_connection.AbortReason);
        await AssertCutAsync(serving, 10 * Minute, ConnectionOutcome.IdleTimeout);
    }

    [Fact]
    public async Task Heartbeat_PeerDoesNotRead_WriteTimeout()
    {
        var serving = _pipeline.ServeAsync(async c => await c.Transport.Output.WriteAsync(new byte[64]), _connection);
        _connection.Heartbeat();

        await AssertCutAsync(serving, 2 * Minute, ConnectionOutcome.WriteTimeout);
    }

    [Fact]
    public async Task Heartbeat_EveryFlush_HasTheWholeWriteTimeout()
    {
        var serving = _pipeline.ServeAsync(
            async c =>
            {
                for (var i = 0; i < 4; i++) await c.Transport.Output.WriteAsync(new byte[64]);
            },
            _connection);
        for (var i = 0; i < 3; i++)
        {
            _connection.Heartbeat();
            _pipeline.Pass(2 * Minute - Second, _connection);
            Assert.Null(_connection.AbortReason);
            await _connection.ReceiveAsync(64).Soon();
        }

        _connection.Heartbeat();
        await AssertCutAsync(serving, 2 * Minute, ConnectionOutcome.WriteTimeout);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Heartbeat_TimeoutsOfZero_NeverCut(bool read)
    {
        using var pipeline = new TestPipeline
        {
            Guards = new() { FirstByteTimeout = default, IdleTimeout = default, WriteTimeout = default },
        };
        var serving = pipeline.ServeAsync(read ? SinkAsync : async c => await c.Transport.Output.WriteAsync(new byte[64]), _connection);
        _connection.Heartbeat();
        pipeline.Pass(TimeSpan.FromDays(100), _connection);

        Assert.Null(_connection.AbortReason);
        _connection.Reset();
        await serving.Soon();
    }

    private static async Task EchoAsync(ConnectionContext connection)
    {
        while (true)
        {
            var read = await connection.Transport.Input.ReadAsync();
            foreach (var part in read.Buffer) await connection.Transport.Output.WriteAsync(part);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return;
        }
    }

    private static Task SinkAsync(ConnectionContext connection) => connection.Transport.Input.CopyToAsync(Stream.Null);

    /// <summary>Not a second before, and then at once.</summary>
    private async Task AssertCutAsync(Task serving, TimeSpan after, ConnectionOutcome outcome)
    {
        _pipeline.Pass(after - Second, _connection);
        Assert.Null(_connection.AbortReason);
        Assert.False(serving.IsCompleted);
        _pipeline.Pass(Second, _connection);
        await serving.Soon();

        Assert.NotNull(_connection.AbortReason);
        Assert.Equal(outcome, _pipeline.Ended.Outcome);
        Assert.Equal(1, _pipeline.Totals.Ended[(int)outcome]);
    }

    [ServerSpeaksFirst]
    private sealed class Speaker : ConnectionHandler
    {
        public override Task OnConnectedAsync(ConnectionContext connection) => EchoAsync(connection);
    }
}

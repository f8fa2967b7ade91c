using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;
using Perch.Transport.Timers;

namespace Perch.Tests.Connections;

/// <summary>What a handler finds on a connection that Kestrel serves, it finds on every connection of the host.</summary>
public sealed class KestrelFeatureTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly InMemoryConnection _connection = new(scheduler: PipeScheduler.Inline);

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Heartbeat_EachSecond_CallsAllThatAskedForIt()
    {
        var beats = new List<object>();
        var serving = _pipeline.ServeAsync(
            connection =>
            {
                var heartbeat = connection.Features.Get<IConnectionHeartbeatFeature>()!;
                heartbeat.OnHeartbeat(beats.Add, "first");
                heartbeat.OnHeartbeat(beats.Add, "second");
                return ReadAsync(connection);
            },
            _connection);
        _pipeline.Registry.Tick((_, exception) => Assert.Fail(exception.Message));
        _pipeline.Registry.Tick((_, exception) => Assert.Fail(exception.Message));
        Assert.Equal(["first", "second", "first", "second"], beats);

        _connection.EndInput();
        await serving.Soon();
        _pipeline.Registry.Tick((_, exception) => Assert.Fail(exception.Message));
        Assert.Equal(4, beats.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Timers_OfATransportOrNone_AreItsOwnOrShared(bool hasOwn)
    {
        using var own = new SharedTimerWheel(_pipeline.Time, NullLogger.Instance);
        if (hasOwn)
            _connection.Features.Set<IConnectionTimerFeature>(own);
        TimerWheel? found = null;
        await _pipeline.ServeAsync(
            connection =>
            {
                found = connection.Features.Get<IConnectionTimerFeature>()?.Timers;
                return Task.CompletedTask;
            },
            _connection).Soon();
        Assert.Same(hasOwn ? own.Timers : _pipeline.Services.Timers.Timers, found);
    }

    [Fact]
    public async Task Heartbeat_Throws_OnlyItsConnectionEndsAsAFault()
    {
        var beats = 0;
        var faulty = _pipeline.ServeAsync(
            connection =>
            {
                connection.Features.Get<IConnectionHeartbeatFeature>()!.OnHeartbeat(_ => throw new InvalidOperationException("by the test"), "");
                return ReadAsync(connection);
            },
            _connection);
        var sound = new InMemoryConnection(scheduler: PipeScheduler.Inline);
        var serving = _pipeline.ServeAsync(
            connection =>
            {
                connection.Features.Get<IConnectionHeartbeatFeature>()!.OnHeartbeat(_ => beats++, "");
                return ReadAsync(connection);
            },
            sound);
        using var sweep = new TimeoutSweep(_pipeline.Registry, NullLogger<TimeoutSweep>.Instance);
        sweep.Tick();
        await faulty.Soon();

        Assert.Equal(ConnectionOutcome.HandlerFault, _pipeline.Ended.Outcome);
        Assert.Equal(1, beats);
        Assert.False(serving.IsCompleted);
        sound.EndInput();
        await serving.Soon();
    }

    [Fact]
    public async Task OnCompleted_HandlerIsDone_RunsTheLastFirstAndGoesOnBehindOneThatThrows()
    {
        var ran = new List<string>();
        await _pipeline.ServeAsync(
            connection =>
            {
                var complete = connection.Features.Get<IConnectionCompleteFeature>()!;
                complete.OnCompleted(_ => Run("first"), "");
                complete.OnCompleted(_ => throw new InvalidOperationException("by the test"), "");
                complete.OnCompleted(_ => Run("last"), "");
                return Run("handler");
            },
            _connection).Soon();

        Assert.Equal(["handler", "last", "first"], ran);
        Assert.Equal(ConnectionOutcome.Completed, _pipeline.Ended.Outcome);

        Task Run(string name)
        {
            ran.Add(name);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task RequestClose_TokenIsAskedForBeforeAndAfter_BothAreCancelled()
    {
        var (before, after) = (CancellationToken.None, CancellationToken.None);
        await _pipeline.ServeAsync(
            connection =>
            {
                var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>()!;
                before = lifetime.ConnectionClosedRequested;
                Assert.False(before.IsCancellationRequested);
                lifetime.RequestClose();
                after = lifetime.ConnectionClosedRequested;
                return Task.CompletedTask;
            },
            _connection).Soon();

        Assert.True(before.IsCancellationRequested);
        Assert.Equal(before, after);
    }

    private static async Task ReadAsync(ConnectionContext connection)
    {
        var read = await connection.Transport.Input.ReadAsync();
        connection.Transport.Input.AdvanceTo(read.Buffer.End);
    }
}

using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

public sealed class AdmissionTests
{
    [Fact]
    public async Task Serve_OverTheEndpointsCap_RejectedAndTheHandlerNotRun()
    {
        using var pipeline = new TestPipeline { Guards = new() { MaxConnections = 2 } };
        var gate = new TaskCompletionSource();
        var handler = new Gated(gate.Task);
        Task[] served = [.. Enumerable.Range(0, 2).Select(_ => pipeline.Build(handler)(new InMemoryConnection()))];

        await pipeline.Build(handler)(new InMemoryConnection()).Soon();
        Assert.Equal((ConnectionOutcome.Rejected, "MaxConnections"), (pipeline.Ended.Outcome, pipeline.Ended.Reason));
        Assert.Equal(2, handler.Started);

        // Another endpoint has a cap of its own; and what ended gives its slot back.
        var other = pipeline.Build(handler, "other")(new InMemoryConnection());
        Assert.Equal(3, handler.Started);
        gate.SetResult();
        await Task.WhenAll([.. served, other]).Soon();
        await pipeline.Build(handler)(new InMemoryConnection()).Soon();
        Assert.Equal(4, handler.Started);
        Assert.Equal((1, 3), (pipeline.Totals.Ended[(int)ConnectionOutcome.Rejected], pipeline.Totals.Ended[(int)ConnectionOutcome.Completed]));
    }

    [Fact]
    public async Task Serve_OverTheTotalCap_RejectedAtEveryEndpoint()
    {
        using var pipeline = new TestPipeline { TotalConnections = 1 };
        var gate = new TaskCompletionSource();
        var handler = new Gated(gate.Task);
        var served = pipeline.Build(handler, "one")(new InMemoryConnection());

        await pipeline.Build(handler, "two")(new InMemoryConnection()).Soon();
        Assert.Equal(
            ("two", ConnectionOutcome.Rejected, "Perch:MaxConnections"),
            (pipeline.Ended.Endpoint, pipeline.Ended.Outcome, pipeline.Ended.Reason));
        gate.SetResult();
        await served.Soon();
        await pipeline.Build(handler, "two")(new InMemoryConnection()).Soon();
        Assert.Equal(2, handler.Started);
    }

    [Fact]
    public async Task Serve_RejectedByTheEndpointsCap_TakesNoSlotOfTheTotal()
    {
        using var pipeline = new TestPipeline { TotalConnections = 2, Guards = new() { MaxConnections = 1 } };
        var gate = new TaskCompletionSource();
        var handler = new Gated(gate.Task);
        var served = pipeline.Build(handler, "one")(new InMemoryConnection());
        for (var i = 0; i < 3; i++) await pipeline.Build(handler, "one")(new InMemoryConnection()).Soon();

        var other = pipeline.Build(handler, "two")(new InMemoryConnection());

        Assert.Equal(2, handler.Started);
        gate.SetResult();
        await Task.WhenAll(served, other).Soon();
    }

    [Fact]
    public async Task Serve_HandlerThrows_GivesItsSlotsBack()
    {
        using var pipeline = new TestPipeline { TotalConnections = 1, Guards = new() { MaxConnections = 1 } };
        for (var i = 0; i < 3; i++) await pipeline.ServeAsync(_ => throw new InvalidOperationException(), new InMemoryConnection()).Soon();

        Assert.Equal(3, pipeline.Totals.Ended[(int)ConnectionOutcome.HandlerFault]);
    }

    [Fact]
    public void TryTake_FromSeveralThreads_TakesExactlyTheCap()
    {
        const int Cap = 1_000_000;
        var (taken, successes) = (0, 0);
        Hammer(() =>
        {
            for (var i = 0; i < Cap / 2; i++)
            {
                if (Slots.TryTake(ref taken, Cap)) Interlocked.Increment(ref successes);
            }
        });

        Assert.Equal((Cap, Cap), (taken, successes));
    }

    [Fact]
    public void TryTake_TakenAndReleasedBySeveralThreads_NeverPassesTheCap()
    {
        var (taken, highest) = (0, 0);
        Hammer(() =>
        {
            for (var i = 0; i < 2_000_000; i++)
            {
                if (!Slots.TryTake(ref taken, 2)) continue;
                var now = Volatile.Read(ref taken);
                if (now > Volatile.Read(ref highest)) Volatile.Write(ref highest, now);
                Interlocked.Decrement(ref taken);
            }
        });

        Assert.Equal(0, taken);
        Assert.InRange(highest, 1, 2);
    }

    private static void Hammer(Action work)
    {
        using var start = new Barrier(4);
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            start.SignalAndWait();
            work();
        }))];
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) Assert.True(thread.Join(TimeSpan.FromSeconds(10)));
    }

    private sealed class Gated(Task gate) : ConnectionHandler
    {
        private int _started;

        public int Started => _started;

        public override Task OnConnectedAsync(ConnectionContext connection)
        {
            Interlocked.Increment(ref _started);
            return gate;
        }
    }
}

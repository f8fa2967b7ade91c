using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO.Pipelines;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Transport.Buffers;
using Perch.Transport.Connections;
using Perch.Transport.Loops;
using Perch.Transport.Timers;

namespace Perch.Transport.Tests.Timers;

/// <summary>The wheel of an event loop: the loop's thread calls the timers, and sleeps while there are none.</summary>
public sealed class LoopTimerTests : IDisposable
{
    private readonly LoopWatch _watch = new(NullLogger.Instance);
    private readonly Loop _loop;

    public LoopTimerTests() => _loop = new(0, new SharedBlocks(), _watch, NullLogger.Instance);

    public void Dispose()
    {
        _loop.Dispose();
        _watch.Dispose();
    }

    [Fact]
    public async Task Start_FromAnotherThread_WakesTheLoopAndIsCalledOnItNotBeforeItsTime()
    {
        Assert.True(SpinWait.SpinUntil(() => _loop.Waits == 0, TransportHost.Limit));
        var due = new TaskCompletionSource<(bool IsOnLoop, long At)>(TaskCreationOptions.RunContinuationsAsynchronously);
        var timer = new TestTimer(_loop.Timers, _ => due.SetResult((_loop.IsOnThread, Stopwatch.GetTimestamp())));
        var started = Stopwatch.GetTimestamp();
        timer.Start(TimeSpan.FromMilliseconds(50));
        var (isOnLoop, at) = await due.Task.Soon();
        Assert.True(isOnLoop);
        Assert.True(Stopwatch.GetElapsedTime(started, at) >= TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public async Task Wait_TimerFarAway_WakesAtMostOnceForEachLevel()
    {
        using var idle = new Loop(1, new SharedBlocks(), _watch, NullLogger.Instance);
        await CallAsync(idle, TimeSpan.Zero);
        await CallAsync(_loop, TimeSpan.Zero);
        new TestTimer(_loop.Timers, static _ => { }).Start(TimeSpan.FromHours(1));
        var (waits, idleWaits) = (_loop.Waits, idle.Waits);
        // The time in which a loop that polls its timers would wait dozens of times.
        await CallAsync(_loop, TimeSpan.FromMilliseconds(700));
        // The start that wakes the loop, the slots of the levels 1 and 2, and the end of the timer itself; twice for the clock's rounding.
        Assert.InRange(_loop.Waits - waits, 1, 8);
        Assert.InRange(idle.Waits - idleWaits, 0, 1);
    }

    [Fact]
    public async Task StartAndCancel_FromManyThreads_EachStartIsDueOrCancelledOnce()
    {
        const int Rounds = 5000;
        var (due, cancelled, threads) = (0, 0, new List<Thread>());
        var started = new ConcurrentBag<TestTimer>();
        for (var i = 0; i < 4; i++)
        {
            var random = new Random(i);
            var timer = new TestTimer(_loop.Timers, _ => Interlocked.Increment(ref due));
            started.Add(timer);
            var thread = new Thread(() =>
            {
                for (var round = 0; round < Rounds; round++)
                {
                    var before = Volatile.Read(ref due);
                    timer.Start(TimeSpan.FromMilliseconds(random.Next(0, 2)));
                    if (random.Next(100) > 0)
                        Thread.SpinWait(random.Next(1000));
                    else
                        SpinWait.SpinUntil(() => Volatile.Read(ref due) > before, TransportHost.Limit);
                    // One that is not pending any more is due, and may be called after this.
                    if (timer.Cancel())
                        Interlocked.Increment(ref cancelled);
                }
            });
            threads.Add(thread);
            thread.Start();
        }

        foreach (var thread in threads)
            Assert.True(thread.Join(TransportHost.Limit * 3));
        // What was taken from the wheel is called before a later timer.
        await CallAsync(_loop, TimeSpan.Zero);
        Assert.Equal(4 * Rounds, due + cancelled);
        Assert.True(due > 0 && cancelled > 0, $"{due} due, {cancelled} cancelled");
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Feature_OfAConnection_IsTheWheelOfItsLoopUnderAnyTransport(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        server.Transport = new Duplex(server.Transport.Input, server.Transport.Output);
        var feature = server.Features.Get<IConnectionTimerFeature>();
        Assert.NotNull(feature);
        var due = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        new TestTimer(feature.Timers, _ => due.SetResult(((DirectConnection)server).Loop.IsOnThread)).Start(TimeSpan.FromMilliseconds(10));
        Assert.True(await due.Task.Soon());
    }

    private static async Task CallAsync(Loop loop, TimeSpan delay)
    {
        var due = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new TestTimer(loop.Timers, _ => due.SetResult()).Start(delay);
        await due.Task.Soon();
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}

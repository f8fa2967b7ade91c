using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using Perch.Tests.Shared;
using Perch.Transport.Loops;

namespace Perch.Transport.Tests;

/// <summary>A handler that does not let go of its loop is found while it holds it.</summary>
public sealed class LoopWatchTests
{
    [Theory]
    [InlineData("endpoint slow", "A handler of endpoint slow holds")]
    [InlineData(null, "A handler of 127.0.0.1:")]
    public async Task Hold_OfAHandlerThatBlocks_IsCountedAndLoggedWithItsCure(string? name, string line)
    {
        using var log = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([log]);
        // What comes before the handler waits again is of the same turn, and the same hold.
        Assert.Equal(3, await HoldThreeTimesAsync(loggers, name, loops => loops.IsIdle));
        var text = Assert.Single(log.Collector.Named("LoopHeld")).Message;
        Assert.StartsWith(line, text, StringComparison.Ordinal);
        Assert.Contains("1 times until now", text, StringComparison.Ordinal);
        Assert.Contains("Write \"Scheduling\": \"ThreadPool\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hold_AfterTheWatchSlept_IsSeen()
    {
        using var log = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([log]);
        // Nothing is served, so it goes to sleep, and nothing else would wake it.
        Assert.Equal(3, await HoldThreeTimesAsync(loggers, null, loops => loops.IsWatchAsleep));
    }

    [Fact]
    public async Task Hold_OnTheThreadPool_IsNone()
    {
        using var log = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([log]);
        using var held = new SemaphoreSlim(0);
        using var blocked = new SemaphoreSlim(0);
        using var loops = new LoopGroup(1, loggers);
        var pooled = new DirectTransportFactory(new() { Scheduling = ContinuationScheduling.ThreadPool }, loops, loggers);
        var inline = new DirectTransportFactory(new() { LoopHeld = () => held.Release() }, loops, loggers);
        await using var quiet = await pooled.BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        await using var loud = await inline.BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        using var first = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var second = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await first.ConnectAsync(quiet.EndPoint);
        await second.ConnectAsync(loud.EndPoint);
        // The one blocks for longer than the other, which is known to be long enough.
        var pooling = BlockUntilHeldAsync((await quiet.AcceptAsync().Soon())!, blocked);
        var looping = BlockUntilHeldAsync((await loud.AcceptAsync().Soon())!, held);
        await first.SendTextAsync("x");
        await second.SendTextAsync("x");
        Assert.Equal("y", await second.ReceiveTextAsync(1));
        blocked.Release();
        Assert.Equal("y", await first.ReceiveTextAsync(1));

        Assert.Equal((0, 1), (((DirectListener)quiet).Holds.Count, ((DirectListener)loud).Holds.Count));
        first.Dispose();
        second.Dispose();
        await Task.WhenAll(pooling, looping).Soon();
    }

    [Fact]
    public void Add_WithinAMinute_LogsOnce()
    {
        var log = new FakeLogger();
        var (time, told) = (new FakeTimeProvider(), 0);
        var holds = new LoopHolds("e", () => told++, log, time);
        for (var i = 0; i < 5; i++) holds.Add();
        time.Advance(TimeSpan.FromSeconds(59));
        holds.Add();
        Assert.Single(log.Collector.GetSnapshot());
        time.Advance(TimeSpan.FromSeconds(1));
        holds.Add();

        Assert.Equal(2, log.Collector.Count);
        Assert.Contains("7 times until now", log.LatestRecord.Message, StringComparison.Ordinal);
        Assert.Equal((7, 7), (told, holds.Count));
    }

    [Fact]
    public void Sees_TheSameTurnAgainAndAgain_TellsOnce()
    {
        var detector = new HoldDetector(4);
        Assert.Equal([false, false, false, false, true, false, false], Enumerable.Range(0, 7).Select(_ => detector.Sees(1, true)));
        Assert.Equal([false, false, false, false, true], Enumerable.Range(0, 5).Select(_ => detector.Sees(2, true)));
    }

    [Fact]
    public void Sees_TurnsOrSleepInBetween_IsNoHold()
    {
        var detector = new HoldDetector(4);
        Assert.All(Enumerable.Range(0, 100), turn => Assert.False(detector.Sees(turn / 4, true)));
        Assert.All(Enumerable.Range(0, 100), i => Assert.False(detector.Sees(1000, i % 4 > 0)));
    }

    /// <param name="loggers">Creates the loggers of the transport.</param>
    /// <param name="name">The listener's.</param>
    /// <param name="isReady">What has to be true before each hold.</param>
    /// <returns>How many holds were counted.</returns>
    private static async Task<long> HoldThreeTimesAsync(ILoggerFactory loggers, string? name, Func<LoopGroup, bool> isReady)
    {
        using var held = new SemaphoreSlim(0);
        using var loops = new LoopGroup(1, loggers);
        var options = new DirectTransportOptions { Name = name, LoopHeld = () => held.Release() };
        await using var listener = await new DirectTransportFactory(options, loops, loggers).BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.EndPoint);
        var serving = BlockUntilHeldAsync((await listener.AcceptAsync().Soon())!, held);
        for (var i = 0; i < 3; i++)
        {
            Assert.True(SpinWait.SpinUntil(() => isReady(loops), TransportHost.Limit));
            await client.SendTextAsync("x");
            Assert.Equal("y", await client.ReceiveTextAsync(1));
        }

        client.Dispose();
        await serving.Soon();
        return ((DirectListener)listener).Holds.Count;
    }

    /// <remarks>A test may have a context of its own to go on in; this goes on on the loop.</remarks>
    private static async Task BlockUntilHeldAsync(ConnectionContext connection, SemaphoreSlim held)
    {
        while (await connection.Transport.Input.ReadAsync().ConfigureAwait(false) is { IsCompleted: false } read)
        {
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            if (!held.Wait(TransportHost.Limit)) throw new TimeoutException("The hold was not seen.");
            await connection.Transport.Output.WriteAsync("y"u8.ToArray()).ConfigureAwait(false);
        }

        await connection.DisposeAsync().ConfigureAwait(false);
    }
}

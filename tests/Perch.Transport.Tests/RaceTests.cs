using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Transport.Buffers;
using Perch.Transport.Loops;

namespace Perch.Transport.Tests;

/// <summary>Calls that meet: each of these was lost, or told twice, once.</summary>
public sealed class RaceTests
{
    [Fact]
    public async Task Complete_SendsWhatAFlushWaitsFor_TheFlushEnds()
    {
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await ListenAsync(loops, bufferBytes: 64 * 1024);
        var (server, client) = await ConnectAsync(listener);
        var (holder, holding) = await ConnectAsync(listener);
        var piece = new byte[8 * 1024];
        var (sent, flushing) = (0, default(ValueTask<System.IO.Pipelines.FlushResult>));
        do
        {
            flushing = server.Transport.Output.WriteAsync(piece);
            sent += piece.Length;
        }
        while (flushing.IsCompletedSuccessfully);

        // The loop hears of nothing meanwhile.
        using var entered = new SemaphoreSlim(0);
        using var release = new SemaphoreSlim(0);
        var held = HoldAsync(holder, entered, release);
        await holding.SendTextAsync("x");
        Assert.True(await entered.WaitAsync(TransportHost.Limit));
        var received = (await client.ReceiveExactlyAsync(sent - piece.Length)).Length;
        Assert.False(flushing.IsCompleted);
        await server.Transport.Output.CompleteAsync();
        received += (await client.ReceiveToEndAsync()).Length;
        release.Release();

        Assert.False((await flushing.Soon()).IsCompleted);
        Assert.Equal(sent, received);
        client.Dispose();
        holding.Dispose();
        await held.Soon();
        await server.DisposeAsync().AsTask().Soon();
        await holder.DisposeAsync().AsTask().Soon();
    }

    /// <remarks>Each connection's first flush that has to wait: what it waits with is made at that moment.</remarks>
    [Fact]
    public Task CancelPendingFlush_WhileTheFirstWaitBegins_IsNotLost() =>
        MeetFirstWaitAsync(server => server.Transport.Output.CancelPendingFlush(), flush => Assert.True(flush.IsCanceled));

    /// <inheritdoc cref="CancelPendingFlush_WhileTheFirstWaitBegins_IsNotLost"/>
    [Fact]
    public Task Abort_WhileTheFirstWaitBegins_EndsIt() => MeetFirstWaitAsync(server => server.Abort(), flush => Assert.True(flush.IsCompleted));

    /// <remarks>The loop takes a read from its wait because there are bytes, and finds that it is cancelled.</remarks>
    [Fact]
    public async Task CancelPendingRead_WhileBytesCome_TheNextReadHasThem()
    {
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await ListenAsync(loops, bufferBytes: 4096);
        var (server, client) = await ConnectAsync(listener);
        var input = server.Transport.Input;
        using var go = new Barrier(2);
        var isOver = false;
        var cancelling = Task.Factory.StartNew(
            () =>
            {
                for (var i = 0; ; i++)
                {
                    go.SignalAndWait(TransportHost.Limit);
                    if (Volatile.Read(ref isOver)) return;
                    Thread.SpinWait(i % 400);
                    input.CancelPendingRead();
                    go.SignalAndWait(TransportHost.Limit);
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (var i = 0; i < 20_000; i++)
        {
            var reading = input.ReadAsync().AsTask();
            go.SignalAndWait(TransportHost.Limit);
            client.Send("x"u8);
            go.SignalAndWait(TransportHost.Limit);
            var read = await reading.Soon();
            while (read.Buffer.IsEmpty)
            {
                input.AdvanceTo(read.Buffer.End);
                read = await input.ReadAsync().Soon();
            }

            input.AdvanceTo(read.Buffer.End);
        }

        Volatile.Write(ref isOver, true);
        go.SignalAndWait(TransportHost.Limit);
        await cancelling.Soon();
        client.Dispose();
        await server.DisposeAsync().AsTask().Soon();
    }

    [Fact]
    public async Task ConnectionClosed_FirstAskedForWhileItCloses_FiresOnce()
    {
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await ListenAsync(loops, bufferBytes: 4096);
        for (var i = 0; i < 500; i++)
        {
            var (server, client) = await ConnectAsync(listener);
            var fired = new SemaphoreSlim(0);
            using var isReady = new ManualResetEventSlim();
            var aborting = Task.Run(() =>
            {
                isReady.Set();
                server.Abort();
            });
            Assert.True(isReady.Wait(TransportHost.Limit));
            Thread.SpinWait(i % 250);
            var token = server.ConnectionClosed;
            await using var registration = token.Register(() => fired.Release());

            Assert.True(await fired.WaitAsync(TransportHost.Limit));
            await aborting.Soon();
            client.Dispose();
            await server.DisposeAsync().AsTask().Soon();
            Assert.Equal(0, fired.CurrentCount);
            Assert.Equal(token, server.ConnectionClosed);
        }
    }

    [Fact]
    public async Task FlushAsync_WhileOneWaits_IsRefusedAndTheFirstGoesOn()
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct);
        var (server, client) = await host.ConnectAsync();
        var first = server.Transport.Output.WriteAsync(new byte[20_000_000]);
        Assert.False(first.IsCompleted);

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.Transport.Output.FlushAsync());
        Assert.Equal(20_000_000, (await client.ReceiveExactlyAsync(20_000_000)).Length);
        Assert.False((await first.Soon()).IsCompleted);
    }

    [Fact]
    public void TryWatch_WhileTheLoopEnds_IsRefusedOrToldOfIt()
    {
        using var watch = new LoopWatch(NullLogger.Instance);
        using var loop = new Loop(0, new SharedBlocks(), watch, NullLogger.Instance);
        var late = new Source(() => { });
        var error = 0;
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var other = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var first = new Source(() => error = loop.TryWatch((int)other.Handle, 0, late));
        Assert.Equal(0, loop.TryWatch((int)socket.Handle, 0, first));
        loop.Dispose();

        Assert.True(first.WasTold);
        Assert.True(error != 0 || late.WasTold);
    }

    private static async Task MeetFirstWaitAsync(Action<ConnectionContext> act, Action<System.IO.Pipelines.FlushResult> check)
    {
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await ListenAsync(loops, bufferBytes: 4096);
        // More than the buffers of both sides take.
        var piece = new byte[256 * 1024];
        for (var i = 0; i < 1000; i++)
        {
            var (server, client) = await ConnectAsync(listener);
            var progress = server.Features.Get<IConnectionProgressFeature>()!;
            using var isReady = new ManualResetEventSlim();
            var spins = i % 250;
            var acting = Task.Run(() =>
            {
                isReady.Set();
                // What the socket takes is sent: two calls later the flush waits.
                while (progress.BytesSent == 0) Thread.SpinWait(1);
                Thread.SpinWait(spins);
                act(server);
            });
            Assert.True(isReady.Wait(TransportHost.Limit));
            var flushing = server.Transport.Output.WriteAsync(piece);

            check(await flushing.Soon());
            await acting.Soon();
            server.Abort();
            client.Dispose();
            await server.DisposeAsync().AsTask().Soon();
        }
    }

    /// <remarks>Small buffers are full long before a flush gives its turn to others.</remarks>
    private static ValueTask<IConnectionListener> ListenAsync(LoopGroup loops, int bufferBytes)
    {
        var options = new DirectTransportOptions();
        var create = options.CreateBoundListenSocket;
        options.CreateBoundListenSocket = endPoint =>
        {
            var socket = create(endPoint);
            socket.SendBufferSize = socket.ReceiveBufferSize = bufferBytes;
            return socket;
        };
        return new DirectTransportFactory(options, loops, NullLoggerFactory.Instance).BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
    }

    /// <remarks>A test may have a context of its own to go on in; this goes on on the loop.</remarks>
    private static async Task HoldAsync(ConnectionContext connection, SemaphoreSlim entered, SemaphoreSlim release)
    {
        await connection.Transport.Input.ReadAsync().ConfigureAwait(false);
        entered.Release();
        release.Wait(TransportHost.Limit);
    }

    private static async Task<(ConnectionContext Server, Socket Client)> ConnectAsync(IConnectionListener listener)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 64 * 1024 };
        await client.ConnectAsync(listener.EndPoint);
        return ((await listener.AcceptAsync().Soon())!, client);
    }

    private sealed class Source(Action ended) : IEventSource
    {
        public bool WasTold { get; private set; }

        public ulong Key { get; set; }

        public LoopHolds Holds { get; } = new("", null, NullLogger.Instance, TimeProvider.System);

        public void OnEvents(uint events)
        {
        }

        public void OnWork(LoopWork work)
        {
        }

        public void OnReminder()
        {
        }

        public void OnLoopEnded()
        {
            WasTold = true;
            ended();
        }
    }
}

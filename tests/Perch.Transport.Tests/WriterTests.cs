using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

/// <summary>What <see cref="PipeWriter"/> promises, over a connection.</summary>
public sealed class WriterTests
{
    [Theory]
    [Transports]
    public async Task FlushAsync_SmallWrites_ArriveInOrder(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var output = server.Transport.Output;
        output.Write("one "u8);
        output.Write("two "u8);
        Assert.False((await output.FlushAsync().Soon()).IsCompleted);
        await output.WriteAsync("three"u8.ToArray()).Soon();

        Assert.Equal("one two three", await client.ReceiveTextAsync(13));
    }

    [Theory]
    [Transports]
    public async Task FlushAsync_NothingWritten_ReturnsAtOnce(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        for (var i = 0; i < 100; i++)
        {
            var flush = server.Transport.Output.FlushAsync();
            Assert.True(flush.IsCompleted);
            Assert.False((await flush).IsCompleted);
        }

        server.Transport.Output.Advance(0);
        await server.Transport.Output.WriteAsync(ReadOnlyMemory<byte>.Empty).Soon();
        await server.Transport.Output.WriteAsync("x"u8.ToArray()).Soon();
        Assert.Equal("x", await client.ReceiveTextAsync(1));
    }

    [Theory]
    [Transports]
    public async Task GetMemory_LargerThanABlock_IsThatLarge(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(300_000);
        var output = server.Transport.Output;
        output.Write(sent.AsSpan(0, 10));
        var memory = output.GetMemory(sent.Length - 10);
        Assert.True(memory.Length >= sent.Length - 10);
        sent.AsSpan(10).CopyTo(memory.Span);
        output.Advance(sent.Length - 10);
        Assert.Equal(sent.Length, output.UnflushedBytes);
        var receiving = client.ReceiveExactlyAsync(sent.Length);

        await output.FlushAsync().Soon();

        Assert.Equal(0, output.UnflushedBytes);
        Assert.True((await receiving).AsSpan().SequenceEqual(sent));
    }

    [Theory]
    [Transports]
    public async Task Advance_MoreThanGiven_Throws(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        var memory = server.Transport.Output.GetMemory();

        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => server.Transport.Output.Advance(memory.Length + 1));
        Assert.ThrowsAny<ArgumentOutOfRangeException>(() => server.Transport.Output.Advance(-1));
    }

    [Theory]
    [Transports]
    public async Task FlushAsync_LargerThanTheSocketBuffer_ArrivesWhole(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(20_000_000);
        var writing = Task.Run(async () =>
        {
            for (var at = 0; at < sent.Length; at += 1_000_000) await server.Transport.Output.WriteAsync(sent.AsMemory(at, 1_000_000)).Soon();
        });

        var received = await client.ReceiveExactlyAsync(sent.Length);
        await writing;
        Assert.True(received.AsSpan().SequenceEqual(sent));
    }

    [Theory]
    [Transports]
    public async Task FlushAsync_PeerDoesNotRead_WaitsAndGoesOnWhenItDoes(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(100_000);
        var count = 0;
        Task<FlushResult> waiting;
        do
        {
            // Nothing grows: what was flushed is with the system.
            Assert.True(++count < 1000, "The flush never waits.");
            waiting = server.Transport.Output.WriteAsync(sent).AsTask();
        }
        while (await Task.WhenAny(waiting, Task.Delay(200)) == waiting);

        var received = await client.ReceiveExactlyAsync(sent.Length * count);
        Assert.False((await waiting.Soon()).IsCompleted);
        for (var i = 0; i < count; i++) Assert.True(received.AsSpan(i * sent.Length, sent.Length).SequenceEqual(sent));
    }

    [Theory]
    [Transports]
    public async Task CancelPendingFlush_FromAnotherThread_EndsTheWaitAndLosesNothing(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var output = server.Transport.Output;
        var sent = PeerExtensions.Pattern(8_000_000);
        var flush = output.WriteAsync(sent).AsTask();
        _ = Task.Run(output.CancelPendingFlush);
        Assert.True((await flush.Soon()).IsCanceled);
        var second = PeerExtensions.Pattern(1_000_000, seed: 2);
        var next = output.WriteAsync(second).AsTask();

        // What the first has left is sent all the same, before the second.
        Assert.True((await client.ReceiveExactlyAsync(sent.Length)).AsSpan().SequenceEqual(sent));
        Assert.True((await client.ReceiveExactlyAsync(second.Length)).AsSpan().SequenceEqual(second));
        Assert.False((await next.Soon()).IsCanceled);
    }

    [Theory]
    [Transports]
    public async Task CancelPendingFlush_BeforeAnythingHasWaited_EndsTheFirstWait(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(8_000_000);
        server.Transport.Output.CancelPendingFlush();

        Assert.True((await server.Transport.Output.WriteAsync(sent).Soon()).IsCanceled);
        Assert.True((await client.ReceiveExactlyAsync(sent.Length)).AsSpan().SequenceEqual(sent));
        Assert.False((await server.Transport.Output.FlushAsync().Soon()).IsCanceled);
    }

    [Theory]
    [Transports]
    public async Task CancelPendingFlush_ThenTheEnd_AllArrives(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(6_000_000);
        var flush = server.Transport.Output.WriteAsync(sent).AsTask();
        server.Transport.Output.CancelPendingFlush();
        await flush.Soon();
        var last = PeerExtensions.Pattern(100_000, seed: 3);
        server.Transport.Output.Write(last);
        await server.Transport.Output.CompleteAsync();

        var received = await client.ReceiveToEndAsync();
        Assert.True(received.AsSpan().SequenceEqual([.. sent, .. last]));
    }

    [Theory]
    [Transports]
    public async Task FlushAsync_TokenIsCancelled_ThrowsAndTheBytesGoOn(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        using var source = new CancellationTokenSource();
        var sent = PeerExtensions.Pattern(8_000_000);
        var flush = server.Transport.Output.WriteAsync(sent, source.Token).AsTask();
        await source.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.Soon());
        Assert.True((await client.ReceiveExactlyAsync(sent.Length)).AsSpan().SequenceEqual(sent));
    }

    [Theory]
    [Transports]
    public async Task Complete_Unflushed_IsSentBeforeTheEnd(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(5_000_000);
        server.Transport.Output.Write(sent);

        await server.Transport.Output.CompleteAsync();

        Assert.True((await client.ReceiveToEndAsync()).AsSpan().SequenceEqual(sent));
        Assert.Throws<InvalidOperationException>(() => server.Transport.Output.GetMemory());
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Complete_WithAnError_ThePeerDoesNotTakeItForWhole(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reading = server.Transport.Input.ReadAsync().Soon();
        await server.Transport.Output.CompleteAsync(new InvalidDataException("broken"));

        await Assert.ThrowsAsync<ConnectionAbortedException>(() => reading);
        // A Unix socket knows no reset of that kind.
        if (kind == TransportKind.DirectUnix) Assert.Empty(await client.ReceiveToEndAsync());
        else await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(client.ReceiveToEndAsync);
    }

    [Theory]
    [Transports]
    public async Task FlushAsync_PeerIsGone_IsCompleted(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        client.Close();

        var flush = default(FlushResult);
        for (var i = 0; i < 10_000 && !flush.IsCompleted; i++) flush = await server.Transport.Output.WriteAsync(new byte[1000]).Soon();

        Assert.True(flush.IsCompleted);
        await server.AwaitClosedAsync();
    }

    [Theory]
    [Transports]
    public async Task FlushAsync_PeerResetsMeanwhile_EndsCompleted(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var flush = server.Transport.Output.WriteAsync(new byte[20_000_000]).AsTask();
        if (kind is not (TransportKind.DirectUnix or TransportKind.SocketsUnix)) client.LingerState = new(true, 0);
        client.Close();

        Assert.True((await flush.Soon()).IsCompleted);
    }
}

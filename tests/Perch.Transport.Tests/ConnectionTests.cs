using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Transport.Connections;

namespace Perch.Transport.Tests;

/// <summary>How a connection lives and ends.</summary>
public sealed class ConnectionTests
{
    [Theory]
    [Transports]
    public async Task Features_ThoseThatMiddlewareNeeds_AreThere(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();

        Assert.Same(server.Transport, server.Features.Get<IConnectionTransportFeature>()!.Transport);
        Assert.NotEmpty(server.Features.Get<IConnectionIdFeature>()!.ConnectionId);
        Assert.NotNull(server.Features.Get<IMemoryPoolFeature>()!.MemoryPool);
        Assert.NotNull(server.Features.Get<IConnectionLifetimeFeature>());
        server.Features.Get<IConnectionItemsFeature>()!.Items["key"] = 1;
        Assert.Equal(1, server.Items["key"]);
        server.Features.Set(this);
        Assert.Same(this, server.Features.Get<ConnectionTests>());
        Assert.Contains(server.Features, feature => feature.Key == typeof(IConnectionIdFeature));
        server.Features.Set<ConnectionTests>(null);
        Assert.Null(server.Features.Get<ConnectionTests>());
        if (kind is TransportKind.SocketsUnix or TransportKind.DirectUnix) return;
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
        Assert.Equal(client.RemoteEndPoint, server.LocalEndPoint);
        if (kind != TransportKind.Sockets) Assert.Equal(client.RemoteEndPoint, server.Features.Get<IConnectionEndPointFeature>()!.LocalEndPoint);
    }

    [Theory]
    [Transports]
    public async Task Features_TwoConnections_EachHasItsOwn(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (first, _) = await host.ConnectAsync();
        var (second, _) = await host.ConnectAsync();
        first.Features.Set("first");
        second.Features.Set(this);
        second.Features.Set("second");
        first.Features.Set(host);

        Assert.Equal("first", first.Features.Get<string>());
        Assert.Equal("second", second.Features.Get<string>());
        Assert.Null(first.Features.Get<ConnectionTests>());
        Assert.Null(second.Features.Get<TransportHost>());
        Assert.DoesNotContain(first.Features, feature => feature.Key == typeof(ConnectionTests));
        Assert.Equal(["first", host], first.Features.Where(feature => feature.Key == typeof(string) || feature.Key == typeof(TransportHost)).Select(feature => feature.Value));
    }

    [Theory]
    [Transports]
    public async Task Features_SetToNull_HidesTheConnectionsOwnThereAlone(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (first, _) = await host.ConnectAsync();
        var (second, _) = await host.ConnectAsync();
        first.Features.Set<IConnectionIdFeature>(null);

        Assert.Null(first.Features.Get<IConnectionIdFeature>());
        Assert.Null(first.Features[typeof(IConnectionIdFeature)]);
        Assert.DoesNotContain(first.Features, feature => feature.Key == typeof(IConnectionIdFeature));
        Assert.NotNull(second.Features.Get<IConnectionIdFeature>());
    }

    [Fact]
    public void FeatureLayout_ManyThreadsAddTheSame_EachTypeHasOnePlace()
    {
        Type[] types = [.. typeof(string).Assembly.GetTypes().Take(200)];
        var layout = new FeatureLayout();
        var places = new ConcurrentBag<(Type, int)>();
        Parallel.For(0, 8, _ =>
        {
            foreach (var type in types) places.Add((type, layout.FindOrAdd(type)));
        });

        Assert.Equal(types.Length, layout.Types.Length);
        Assert.Equal(types.Length, places.Distinct().Count());
        Assert.All(places, place => Assert.Equal(place.Item2, layout.Find(place.Item1)));
        Assert.Equal(-1, layout.Find(typeof(ConnectionTests)));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task RemoteEndPoint_AskedForTwice_IsTheSameUntilItIsSet(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        Assert.Same(server.RemoteEndPoint, server.RemoteEndPoint);
        var behindAProxy = new IPEndPoint(IPAddress.Parse("192.0.2.7"), 4711);
        server.RemoteEndPoint = behindAProxy;

        Assert.Same(behindAProxy, server.RemoteEndPoint);
        Assert.Same(behindAProxy, server.Features.Get<IConnectionEndPointFeature>()!.RemoteEndPoint);
        server.RemoteEndPoint = null;
        Assert.Null(server.RemoteEndPoint);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task RemoteEndPoint_SetBeforeItWasAskedFor_IsWhatWasSet(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (first, _) = await host.ConnectAsync();
        var (second, _) = await host.ConnectAsync();
        var behindAProxy = new IPEndPoint(IPAddress.Parse("192.0.2.7"), 4711);
        first.RemoteEndPoint = behindAProxy;
        second.RemoteEndPoint = null;

        Assert.Same(behindAProxy, first.RemoteEndPoint);
        Assert.Null(second.RemoteEndPoint);
    }

    [Theory]
    [Transports]
    public async Task ConnectionId_TwoConnections_DifferAndStay(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (first, _) = await host.ConnectAsync();
        var (second, _) = await host.ConnectAsync();

        var id = first.ConnectionId;
        Assert.NotEqual(id, second.ConnectionId);
        Assert.Equal(id, first.ConnectionId);
        Assert.Equal(id, first.Features.Get<IConnectionIdFeature>()!.ConnectionId);
        first.ConnectionId = "its own";
        Assert.Equal("its own", first.Features.Get<IConnectionIdFeature>()!.ConnectionId);
    }

    [Theory]
    [Transports]
    public async Task Transport_IsReplaced_TheFeatureFollows(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        var (own, other) = (server.Transport, new Wrapped(server.Transport));
        server.Transport = other;
        Assert.Same(other, server.Features.Get<IConnectionTransportFeature>()!.Transport);
        server.Transport = own;
    }

    [Theory]
    [Transports]
    public async Task Transport_ReadsAndWritesFromTwoThreads_BothArriveWhole(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var (up, down) = (PeerExtensions.Pattern(5_000_000, 1), PeerExtensions.Pattern(5_000_000, 2));
        var serverReads = Task.Run(async () =>
        {
            var got = new MemoryStream();
            while (got.Length < up.Length)
            {
                var read = await server.Transport.Input.ReadAsync();
                foreach (var segment in read.Buffer) got.Write(segment.Span);
                server.Transport.Input.AdvanceTo(read.Buffer.End);
            }

            return got.ToArray();
        });
        var serverWrites = Task.Run(async () =>
        {
            for (var at = 0; at < down.Length; at += 50_000) await server.Transport.Output.WriteAsync(down.AsMemory(at, 50_000));
        });
        var clientWrites = Task.Run(async () =>
        {
            for (var at = 0; at < up.Length;) at += await client.SendAsync(up.AsMemory(at));
        });

        Assert.True((await client.ReceiveExactlyAsync(down.Length)).AsSpan().SequenceEqual(down));
        Assert.True((await serverReads.Soon()).AsSpan().SequenceEqual(up));
        await Task.WhenAll(serverWrites, clientWrites).Soon();
    }

    [Theory]
    [Transports]
    public async Task HalfClose_ByThePeer_TheAnswerStillArrives(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        client.Shutdown(SocketShutdown.Send);
        while (!(await server.Transport.Input.ReadAsync().Soon()).IsCompleted) server.Transport.Input.AdvanceTo(default);

        var answer = PeerExtensions.Pattern(3_000_000);
        var receiving = client.ReceiveToEndAsync();
        await server.Transport.Output.WriteAsync(answer).Soon();
        await server.Transport.Output.CompleteAsync();

        Assert.True((await receiving).AsSpan().SequenceEqual(answer));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task HalfClose_ByUs_ThePeersBytesStillArrive(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await server.Transport.Output.WriteAsync("bye"u8.ToArray());
        await server.Transport.Output.CompleteAsync();
        Assert.Equal(3, (await client.ReceiveToEndAsync()).Length);

        await client.SendTextAsync("still here");
        Assert.Equal("still here", (await server.Transport.Input.ReadUntilAsync(10)).Text());
        Assert.False(server.ConnectionClosed.IsCancellationRequested);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ConnectionClosed_PeerEndsOnlyItsSide_IsNotFired(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var token = server.ConnectionClosed;
        client.Shutdown(SocketShutdown.Send);
        while (!(await server.Transport.Input.ReadAsync().Soon()).IsCompleted) server.Transport.Input.AdvanceTo(default);

        Assert.False(token.IsCancellationRequested);
        await server.Transport.Output.CompleteAsync();
        await server.Transport.Input.CompleteAsync();
        await server.AwaitClosedAsync();
    }

    [Theory]
    [Transports]
    public async Task ConnectionClosed_IsReplaced_TheFeatureFollows(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        using var other = new CancellationTokenSource();
        server.ConnectionClosed = other.Token;
        server.Items["key"] = 1;

        Assert.Equal(other.Token, server.Features.Get<IConnectionLifetimeFeature>()!.ConnectionClosed);
        Assert.Equal(1, server.Features.Get<IConnectionItemsFeature>()!.Items["key"]);
        server.ConnectionClosed = CancellationToken.None;
        Assert.Equal(CancellationToken.None, server.ConnectionClosed);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ConnectionClosed_FirstAskedForAfterTheClose_IsCancelled(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        server.Abort();
        await server.DisposeAsync().AsTask().Soon();

        Assert.True(server.ConnectionClosed.IsCancellationRequested);
        Assert.Equal(server.ConnectionClosed, server.ConnectionClosed);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ConnectionClosed_CloseOnPeerEnd_FiresAtTheEnd(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind, options => options.CloseOnPeerEnd = true);
        var (server, client) = await host.ConnectAsync();
        client.Shutdown(SocketShutdown.Send);

        // Nobody reads.
        await server.AwaitClosedAsync();
    }

    [Theory]
    [Transports]
    public async Task ConnectionClosed_BothSidesDoneAndPeerEnds_FiresOnce(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var fired = 0;
        server.ConnectionClosed.Register(() => Interlocked.Increment(ref fired));
        await server.Transport.Output.CompleteAsync();
        await server.Transport.Input.CompleteAsync();
        client.Close();
        await server.DisposeAsync().AsTask().Soon();
        server.Abort();
        await server.DisposeAsync().AsTask().Soon();

        await server.AwaitClosedAsync();
        // The token is cancelled a moment before its callbacks run.
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref fired) > 0, TransportHost.Limit));
        Assert.Equal(1, fired);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Close_PeerStillSends_ItGetsTheWholeAnswer(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        // Unread when the server is done: without the linger that is a reset.
        await client.SendAsync(new byte[50_000]);
        await server.Transport.Output.WriteAsync("answer"u8.ToArray());
        await server.Transport.Output.CompleteAsync();
        await server.Transport.Input.CompleteAsync();
        for (var i = 0; i < 20; i++) await client.SendAsync(new byte[50_000]);

        Assert.Equal("answer", System.Text.Encoding.ASCII.GetString(await client.ReceiveToEndAsync()));
        client.Close();
        await server.AwaitClosedAsync();
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Close_PeerNeverEnds_LingersForTheTimeAndNoLonger(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind, options => options.LingerTime = TimeSpan.FromMilliseconds(300));
        var (server, client) = await host.ConnectAsync();
        await server.Transport.Output.CompleteAsync();
        await server.Transport.Input.CompleteAsync();

        await server.AwaitClosedAsync();
        Assert.Empty(await client.ReceiveToEndAsync());
    }

    [Theory]
    [Transports]
    public async Task Abort_AReadAndAFlushWait_BothEnd(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reading = server.Transport.Input.ReadAsync().Soon();
        var flushing = server.Transport.Output.WriteAsync(new byte[20_000_000]).Soon();
        var reason = new ConnectionAbortedException("reason");

        server.Abort(reason);

        var thrown = await Assert.ThrowsAsync<ConnectionAbortedException>(() => reading);
        Assert.Contains("reason", thrown.ToString(), StringComparison.Ordinal);
        Assert.True((await flushing).IsCompleted);
        await server.AwaitClosedAsync();
        await server.DisposeAsync().AsTask().Soon();
        if (kind is TransportKind.DirectUnix or TransportKind.SocketsUnix) return;
        await Assert.ThrowsAsync<SocketException>(client.ReceiveToEndAsync);
    }

    [Theory]
    [Transports]
    public async Task Abort_Idle_ThePeerSeesIt(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        server.Abort();
        await server.AwaitClosedAsync();

        if (kind is TransportKind.DirectUnix or TransportKind.SocketsUnix) Assert.Empty(await client.ReceiveToEndAsync());
        else await Assert.ThrowsAsync<SocketException>(client.ReceiveToEndAsync);
        var isOurs = kind is not (TransportKind.Sockets or TransportKind.SocketsUnix);
        // Kestrel's sockets complete the output some time after ConnectionClosed has fired.
        while (!(await server.Transport.Output.WriteAsync("x"u8.ToArray()).Soon()).IsCompleted)
            Assert.False(isOurs);
    }

    [Theory]
    [Transports]
    public async Task ConnectionClosed_PeerResetsAndNobodyReads_Fires(TransportKind kind)
    {
        if (kind is TransportKind.DirectUnix or TransportKind.SocketsUnix) return;
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        client.LingerState = new(true, 0);
        client.Close();

        await server.AwaitClosedAsync();
        await Assert.ThrowsAsync<ConnectionResetException>(async () => await server.Transport.Input.ReadAsync().Soon());
    }

    [Theory]
    [Transports]
    public async Task DisposeAsync_AfterBothSides_ReturnsWhenClosed(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var disposing = server.DisposeAsync().AsTask();
        Assert.Empty(await client.ReceiveToEndAsync());
        client.Close();
        await disposing.Soon();
    }

    private sealed class Wrapped(IDuplexPipe inner) : IDuplexPipe
    {
        public PipeReader Input => inner.Input;

        public PipeWriter Output => inner.Output;
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Perch.Transport.Tests;

public sealed class ListenerTests
{
    [Theory]
    [Transports]
    public async Task UnbindAsync_AnAcceptWaits_ItReturnsNull(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var accepting = host.Listener.AcceptAsync().Soon();

        await host.Listener.UnbindAsync();

        Assert.Null(await accepting);
        Assert.Null(await host.Listener.AcceptAsync().Soon());
        await Assert.ThrowsAnyAsync<SocketException>(() => host.ConnectClientAsync());
    }

    [Theory]
    [Transports]
    public async Task UnbindAsync_ConnectionsAreOpen_TheyGoOn(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await host.Listener.UnbindAsync();
        await client.SendTextAsync("still");

        Assert.Equal("still", (await server.Transport.Input.ReadUntilAsync(5)).Text());
    }

    [Theory]
    [InlineData(TransportKind.Direct)]
    [InlineData(TransportKind.DirectOnThreadPool)]
    [InlineData(TransportKind.DirectUnix)]
    public async Task UnbindAsync_ConnectionsAreQueued_AreAcceptedAndServed(TransportKind kind)
    {
        // More than one turn of accepts, and as many as the backlog holds.
        const int Queued = 131;
        await using var host = await TransportHost.StartAsync(kind, options => options.Backlog = Queued - 1);
        var clients = new List<Socket>();
        for (var i = 0; i < Queued; i++)
            clients.Add(await host.ConnectClientAsync());

        await host.Listener.UnbindAsync();

        foreach (var client in clients)
            await client.SendTextAsync("x");
        for (var i = 0; i < Queued; i++)
            Assert.Equal("x", (await (await host.AcceptAsync()).Transport.Input.ReadUntilAsync(1)).Text());
        Assert.Null(await host.Listener.AcceptAsync().Soon());
        await Assert.ThrowsAnyAsync<SocketException>(() => host.ConnectClientAsync());
    }

    [Fact]
    public async Task DisposeAsync_QueuedConnectionsAreNotAccepted_AreReset()
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct);
        var client = await host.ConnectClientAsync();
        await host.Listener.UnbindAsync();
        await host.Listener.DisposeAsync();

        await Assert.ThrowsAsync<SocketException>(() => client.ReceiveExactlyAsync(1));
        Assert.Equal(0, host.Loops!.SourceCount);
    }

    [Theory]
    [Transports]
    public async Task AcceptAsync_ManyAtOnce_AllAreAccepted(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var clients = new List<Socket>();
        for (var i = 0; i < 300; i++) clients.Add(await host.ConnectClientAsync());
        for (var i = 0; i < clients.Count; i++) await host.AcceptAsync();
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task BindAsync_AddressIsTaken_ThrowsAddressInUse(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        var second = new DirectTransportFactory(new(), loops, NullLoggerFactory.Instance);

        await Assert.ThrowsAsync<AddressInUseException>(async () => await second.BindAsync(host.Listener.EndPoint));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Connections_ManyComeAndGo_LeaveNoDescriptor(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        await ComeAndGoAsync(host, 20);
        var before = host.Loops!.SourceCount;
        await ComeAndGoAsync(host, 300);

        Assert.Equal(before, host.Loops.SourceCount);
    }

    [Fact]
    public async Task BindAsync_DualMode_ServesBothFamilies()
    {
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await new DirectTransportFactory(new(), loops, NullLoggerFactory.Instance).BindAsync(new IPEndPoint(IPAddress.IPv6Any, 0));
        foreach (var address in new[] { IPAddress.Loopback, IPAddress.IPv6Loopback })
        {
            using var client = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(address, ((IPEndPoint)listener.EndPoint).Port);
            var server = (await listener.AcceptAsync().Soon())!;
            Assert.Equal(((IPEndPoint)client.LocalEndPoint!).Port, ((IPEndPoint)server.RemoteEndPoint!).Port);
            server.Abort();
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task LoopGroup_DisposedWithConnections_EndsThem()
    {
        var loops = new LoopGroup(2, NullLoggerFactory.Instance);
        await using var listener = await new DirectTransportFactory(new(), loops, NullLoggerFactory.Instance).BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.EndPoint);
        var server = (await listener.AcceptAsync().Soon())!;
        var reading = server.Transport.Input.ReadAsync().Soon();

        loops.Dispose();

        await Assert.ThrowsAsync<ConnectionAbortedException>(() => reading);
        await server.DisposeAsync().AsTask().Soon();
        await server.AwaitClosedAsync();
    }

    private static async Task ComeAndGoAsync(TransportHost host, int count)
    {
        for (var i = 0; i < count; i++)
        {
            using var client = await host.ConnectClientAsync();
            var server = (await host.Listener.AcceptAsync().Soon())!;
            await client.SendTextAsync("x");
            if (i % 3 == 0) server.Abort();
            else if (i % 3 == 1) client.Close();
            else client.Shutdown(SocketShutdown.Send);
            await server.DisposeAsync().AsTask().Soon();
        }
    }
}

using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Perch.Transport.Connections;

namespace Perch.Transport.Tests;

/// <summary>What is set on the listening socket is on each connection.</summary>
public sealed class SocketOptionTests
{
    [Theory]
    [InlineData(TransportKind.Direct)]
    [InlineData(TransportKind.DirectIPv6)]
    public async Task KeepAlive_Set_IsOnTheConnection(TransportKind kind)
    {
        var keepAlive = new KeepAlive { Time = TimeSpan.FromSeconds(77), Interval = TimeSpan.FromSeconds(11), Count = 3 };
        await using var host = await TransportHost.StartAsync(kind, options => options.KeepAlive = keepAlive);
        var (server, _) = await host.ConnectAsync();
        using var socket = SocketOf(server);

        Assert.Equal(1, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
        Assert.Equal(77, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime));
        Assert.Equal(11, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval));
        Assert.Equal(3, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount));
    }

    [Fact]
    public async Task KeepAlive_NotSet_IsOff()
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct);
        var (server, _) = await host.ConnectAsync();
        using var socket = SocketOf(server);

        Assert.Equal(0, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task NoDelay_AsSet_IsOnTheConnection(bool noDelay)
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct, options => options.NoDelay = noDelay);
        var (server, _) = await host.ConnectAsync();
        using var socket = SocketOf(server);

        Assert.Equal(noDelay, socket.NoDelay);
        // The system's own linger would hold the loop in close(2), or reset what is not sent.
        Assert.False(socket.LingerState!.Enabled);
    }

    [Fact]
    public async Task Backlog_IsFull_NextConnectionWaits()
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct, options => options.Backlog = 1);
        var clients = new List<Task<Socket>>();
        // Linux holds one more than it was told, and answers no more than that.
        for (var i = 0; i < 4; i++) clients.Add(host.ConnectClientAsync());
        await Task.WhenAll(clients.Take(2)).Soon();
        Assert.Contains(clients, client => !client.IsCompleted);
        for (var i = 0; i < 4; i++) await host.AcceptAsync();
        await Task.WhenAll(clients).Soon();
    }

    [Fact]
    public void Options_OutOfRange_AreRefused()
    {
        var options = new DirectTransportOptions();
        Assert.Throws<ArgumentOutOfRangeException>(() => options.Backlog = 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => options.LingerTime = TimeSpan.FromTicks(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => options.LingerTime = TimeSpan.FromHours(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeepAlive { Time = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeepAlive { Time = TimeSpan.FromMilliseconds(1500) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeepAlive { Interval = TimeSpan.FromSeconds(32768) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeepAlive { Count = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new KeepAlive { Count = 128 });
    }

    private static Socket SocketOf(ConnectionContext connection)
    {
        var direct = (DirectConnection)connection;
        Assert.True(direct.Use.TryBegin(out var descriptor));
        direct.EndUse();
        return new(new SafeSocketHandle(descriptor, ownsHandle: false));
    }
}

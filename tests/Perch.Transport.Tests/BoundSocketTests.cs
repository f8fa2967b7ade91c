using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace Perch.Transport.Tests;

/// <summary>The default socket of a listener follows the contract of Kestrel's default: each test runs over both.</summary>
public sealed class BoundSocketTests
{
    private static readonly Dictionary<string, Func<EndPoint, Socket>> Defaults = new()
    {
        ["Direct"] = new DirectTransportOptions().CreateBoundListenSocket,
        ["Kestrel"] = SocketTransportOptions.CreateDefaultBoundListenSocket,
    };

    public static TheoryData<string> Transports => [.. Defaults.Keys];

    [Theory]
    [MemberData(nameof(Transports))]
    public void CreateBoundListenSocket_AnyIPv6_ServesBothFamilies(string transport)
    {
        using var socket = Defaults[transport](new IPEndPoint(IPAddress.IPv6Any, 0));

        Assert.True(socket.DualMode);
        Assert.NotEqual(0, ((IPEndPoint)socket.LocalEndPoint!).Port);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public void CreateBoundListenSocket_OneIPv6Address_ServesIPv6Only(string transport)
    {
        using var socket = Defaults[transport](new IPEndPoint(IPAddress.IPv6Loopback, 0));

        Assert.False(socket.DualMode);
        Assert.Equal(IPAddress.IPv6Loopback, ((IPEndPoint)socket.LocalEndPoint!).Address);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public void CreateBoundListenSocket_IPv4Address_IsBoundAndDoesNotListen(string transport)
    {
        using var socket = Defaults[transport](new IPEndPoint(IPAddress.Loopback, 0));
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        var refused = Assert.ThrowsAny<SocketException>(() => client.Connect(socket.LocalEndPoint!));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        Assert.Equal(ProtocolType.Tcp, socket.ProtocolType);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public void CreateBoundListenSocket_AddressIsTaken_Throws(string transport)
    {
        using var first = Defaults[transport](new IPEndPoint(IPAddress.Loopback, 0));
        first.Listen();

        var error = Assert.ThrowsAny<SocketException>(() => Defaults[transport](first.LocalEndPoint!));
        Assert.Equal(SocketError.AddressAlreadyInUse, error.SocketErrorCode);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public void CreateBoundListenSocket_UnixSocket_CreatesTheFile(string transport)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using var socket = Defaults[transport](new UnixDomainSocketEndPoint(path));

        Assert.True(File.Exists(path));
        Assert.Equal((AddressFamily.Unix, SocketType.Stream), (socket.AddressFamily, socket.SocketType));
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public void CreateBoundListenSocket_PassedDescriptor_IsUsedAndStaysOpen(string transport)
    {
        using var passed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        passed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = passed.LocalEndPoint;
        using (var socket = Defaults[transport](new FileHandleEndPoint((ulong)passed.Handle, FileHandleType.Auto)))
            Assert.Equal(address, socket.LocalEndPoint);

        passed.Listen();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(address!);
        Assert.True(client.Connected);
    }

    [Fact]
    public async Task BindAsync_PassedDescriptor_ServesConnections()
    {
        using var passed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        passed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await new DirectTransportFactory(new(), loops, NullLoggerFactory.Instance)
            .BindAsync(new FileHandleEndPoint((ulong)passed.Handle, FileHandleType.Auto));
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(passed.LocalEndPoint!);
        await client.SendTextAsync("passed");

        await using var server = await listener.AcceptAsync().Soon();
        Assert.Equal("passed", (await server!.Transport.Input.ReadUntilAsync(6)).Text());
        server.Abort();
    }
}

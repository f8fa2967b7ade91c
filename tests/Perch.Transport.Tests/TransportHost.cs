using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Perch.Transport.Tests;

/// <summary>A listener of one transport, and connections to it.</summary>
internal sealed class TransportHost : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly List<ConnectionContext> _connections = [];
    private readonly List<Socket> _clients = [];
    private readonly string? _unixPath;

    private TransportHost(IConnectionListener listener, LoopGroup? loops, string? unixPath) => (Listener, Loops, _unixPath) = (listener, loops, unixPath);

    public IConnectionListener Listener { get; }

    public LoopGroup? Loops { get; }

    public static async Task<TransportHost> StartAsync(TransportKind kind, Action<DirectTransportOptions>? configure = null, ILoggerFactory? log = null)
    {
        var path = kind is TransportKind.SocketsUnix or TransportKind.DirectUnix ? Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()) : null;
        EndPoint endPoint = path is not null ? new UnixDomainSocketEndPoint(path)
            : new IPEndPoint(kind == TransportKind.DirectIPv6 ? IPAddress.IPv6Loopback : IPAddress.Loopback, 0);
        if (kind is TransportKind.Sockets or TransportKind.SocketsUnix)
        {
            var sockets = new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance);
            return new(await sockets.BindAsync(endPoint), null, path);
        }

        var options = new DirectTransportOptions { Scheduling = kind == TransportKind.DirectOnThreadPool ? ContinuationScheduling.ThreadPool : ContinuationScheduling.Inline };
        configure?.Invoke(options);
        log ??= NullLoggerFactory.Instance;
        var loops = new LoopGroup(2, log);
        var direct = new DirectTransportFactory(options, loops, log);
        IConnectionListener listener = kind == TransportKind.DirectServed
            ? await ServedQueue.BindAsync(options, () => direct.BindAsync(endPoint).AsTask())
            : await direct.BindAsync(endPoint);
        return new(listener, loops, path);
    }

    public async Task<(ConnectionContext Server, Socket Client)> ConnectAsync()
    {
        var client = await ConnectClientAsync();
        return (await AcceptAsync(), client);
    }

    public async Task<ConnectionContext> AcceptAsync()
    {
        var server = await Listener.AcceptAsync().Soon();
        Assert.NotNull(server);
        _connections.Add(server);
        return server;
    }

    public async Task<Socket> ConnectClientAsync()
    {
        var endPoint = Listener.EndPoint;
        var client = new Socket(endPoint.AddressFamily, SocketType.Stream, endPoint is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        if (endPoint is IPEndPoint) client.NoDelay = true;
        _clients.Add(client);
        await client.ConnectAsync(endPoint);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) client.Dispose();
        foreach (var connection in _connections)
        {
            connection.Abort();
            await connection.DisposeAsync();
        }

        await Listener.DisposeAsync();
        Loops?.Dispose();
        if (_unixPath is not null) File.Delete(_unixPath);
    }
}

using System.Net;
using System.Net.Sockets;

namespace Perch.FunctionalTests.Files.S3;

/// <summary>Stands before a server, so that it can be down: connections are cut and new ones refused.</summary>
internal sealed class S3Relay : IAsyncDisposable
{
    private readonly IPEndPoint _server;
    private readonly List<Task> _relaying = [];
    private readonly List<Socket> _sockets = [];
    private Socket? _listener;

    private S3Relay(IPEndPoint server)
    {
        _server = server;
        Up();
    }

    public int Port { get; private set; }

    public static S3Relay To(Uri server) => new(new(IPAddress.Parse(server.Host), server.Port));

    public void Up()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, optionValue: true);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        listener.Listen();
        (_listener, Port) = (listener, ((IPEndPoint)listener.LocalEndPoint!).Port);
        lock (_relaying) _relaying.Add(AcceptAsync(listener));
    }

    public void Down()
    {
        _listener?.Dispose();
        lock (_sockets)
        {
            // With a reset, as a server that dies.
            foreach (var socket in _sockets) socket.Close(0);
            _sockets.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Down();
        Task[] all;
        lock (_relaying) all = [.. _relaying];
        await Task.WhenAll(all);
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptAsync();
                lock (_relaying) _relaying.Add(RelayAsync(client));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is down.
        }
    }

    private async Task RelayAsync(Socket client)
    {
        var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        lock (_sockets) _sockets.AddRange([client, server]);
        try
        {
            await server.ConnectAsync(_server);
            await Task.WhenAny(CopyAsync(client, server), CopyAsync(server, client));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is down, or one of them left.
        }
        finally
        {
            client.Dispose();
            server.Dispose();
        }
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        try
        {
            var buffer = new byte[64 * 1024];
            while (await from.ReceiveAsync(buffer) is var read and > 0)
            {
                for (var sent = 0; sent < read;) sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // One of them left.
        }
    }
}

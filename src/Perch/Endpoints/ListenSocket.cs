using System.Net;
using System.Net.Sockets;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>
/// Creates the listening socket of a TCP or Unix-socket endpoint for either socket engine, and sets the options that its connections
/// inherit (tcp(7)): a connection costs no system call for them.
/// </summary>
internal sealed class ListenSocket(ListenAddress address, KeepAliveOptions keepAlive)
{
    private readonly Lock _lock = new();
    private KeepAliveOptions _keepAlive = keepAlive;
    private Socket? _socket;

    /// <summary>Also called to bind again after the socket has failed.</summary>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public Socket Bind(EndPoint endPoint)
    {
        var socket = Create(endPoint);
        lock (_lock)
        {
            _socket = socket;
            Apply();
        }

        return socket;
    }

    private Socket Create(EndPoint endPoint)
    {
        if (address.ReusePort)
            return SharedPort.Bind(endPoint);
        return address.Mode is { } mode ? UnixSocketFile.Bind(endPoint, mode) : DirectTransportOptions.CreateDefaultBoundListenSocket(endPoint);
    }

    /// <summary>Changes the options for connections that are accepted from now on.</summary>
    public void Set(KeepAliveOptions options)
    {
        lock (_lock)
        {
            if (options == _keepAlive)
                return;
            _keepAlive = options;
            Apply();
        }
    }

    private void Apply()
    {
        if (address.UnixSocket is not null || _socket is null)
            return;
        try
        {
            KeepAlive.Set(_socket, _keepAlive.ForTransport());
        }
        catch (ObjectDisposedException)
        {
            // The endpoint stops, or its socket failed: the next one gets the options when it is bound.
        }
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Perch.Transport;

/// <summary>Binds listeners whose connections are served by a group of epoll loops, without the thread hops and pipes of sockets in .NET. Linux only.</summary>
public sealed class DirectTransportFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly DirectTransportOptions _options;
    private readonly LoopGroup _loops;
    private readonly ILogger _logger;

    /// <param name="options">Of every listener.</param>
    /// <param name="loops">Serve the connections; they belong to the caller, and outlive the listeners.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <exception cref="PlatformNotSupportedException">The system is not a Linux of 64 bits.</exception>
    public DirectTransportFactory(DirectTransportOptions options, LoopGroup loops, ILoggerFactory loggers)
    {
        if (!IsSupported) throw new PlatformNotSupportedException("The direct transport needs Linux on x64 or arm64: use Kestrel's socket transport.");
        (_options, _loops, _logger) = (options, loops, loggers.CreateLogger("Perch.Transport"));
    }

    /// <summary>Whether this system can have it.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess && BitConverter.IsLittleEndian;

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => endpoint is IPEndPoint or UnixDomainSocketEndPoint or FileHandleEndPoint;

    /// <inheritdoc/>
    /// <exception cref="AddressInUseException">Another socket has the address.</exception>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        Socket? socket = null;
        try
        {
            socket = Listen(endpoint, _options);
            var listener = new DirectListener(socket, _options, _loops, _logger);
            return new(_options.Serve is { } serve ? new ServedListener(listener, serve, _logger) : listener);
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AddressInUseException(exception.Message, exception);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    /// <summary>A socket that listens. What is set on it here, its connections inherit (tcp(7)): they cost no call for it.</summary>
    /// <exception cref="SocketException">It cannot be had.</exception>
    internal static Socket Listen(EndPoint endpoint, DirectTransportOptions options)
    {
        var socket = options.CreateBoundListenSocket(endpoint);
        try
        {
            if (socket.LocalEndPoint is IPEndPoint)
            {
                socket.NoDelay = options.NoDelay;
                if (options.KeepAlive is { } keepAlive) KeepAlive.Set(socket, keepAlive);
            }

            socket.Blocking = false;
            socket.Listen(options.Backlog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

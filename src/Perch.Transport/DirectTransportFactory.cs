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
            socket = _options.CreateBoundListenSocket(endpoint);
            if (socket.LocalEndPoint is IPEndPoint) socket.NoDelay = _options.NoDelay;
            socket.Blocking = false;
            socket.Listen(_options.Backlog);
            return new(new DirectListener(socket, _options, _loops, _logger));
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            socket?.Dispose();
            throw new AddressInUseException(exception.Message, exception);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }
}

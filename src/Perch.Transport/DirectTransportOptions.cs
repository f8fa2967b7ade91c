using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport;

/// <summary>What a listener of the direct transport is made with.</summary>
public sealed class DirectTransportOptions
{
    /// <summary>
    /// A read of at least so many bytes (<c>PipeReader.ReadAtLeastAsync</c>), 2 MiB, of which none has come yet gets exactly these, in one
    /// piece that begins on a page: in few system calls, and as a disk takes it without a copy (open(2), <c>O_DIRECT</c>).
    /// </summary>
    public const int LargeReadBytes = 2 * 1024 * 1024;

    /// <summary>What logs call the listener. Default its address.</summary>
    public string? Name { get; set; }

    /// <summary>Loops of a group that the transport makes for itself; 0, the default, is one per processor.</summary>
    public int LoopCount { get; set; }

    /// <summary>Connections that the system holds until they are accepted, at least 1; it may have a limit of its own (net.core.somaxconn). Default 512.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less.</exception>
    public int Backlog
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            field = value;
        }
    } = 512;

    /// <summary>Whether small writes go out at once (TCP_NODELAY). Default true.</summary>
    public bool NoDelay { get; set; } = true;

    /// <summary>How TCP finds out that a silent peer is gone; null, the default, does not ask: such a connection is open until something is sent on it.</summary>
    public KeepAlive? KeepAlive { get; set; }

    /// <summary>Where reads and flushes that had to wait go on. Default on the loop.</summary>
    public ContinuationScheduling Scheduling { get; set; }

    /// <summary>
    /// How long a connection that was ended here waits for the peer's end, and drops what still comes, so that a late byte
    /// does not cost the peer our last ones. Default 2 seconds; zero closes at once.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative, or more than an hour.</exception>
    public TimeSpan LingerTime
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, TimeSpan.FromHours(1));
            field = value;
        }
    } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Whether <c>ConnectionClosed</c> also fires when the peer has only ended its own side, as Kestrel's transport does and
    /// web applications expect (<c>RequestAborted</c>). Default false: it fires when the socket is closed, reset or aborted.
    /// </summary>
    public bool CloseOnPeerEnd { get; set; }

    /// <summary>
    /// Called each time a handler has held its loop for more than 100 ms, while it still does, on a thread that watches
    /// all loops: it must return at once. The log tells of it too, once a minute at most. Default null.
    /// </summary>
    public Action? LoopHeld { get; set; }

    /// <summary>
    /// Called when the listening socket has failed, with the reason, and, with null, when it is bound and listens again,
    /// which is tried each second. Connections are not concerned. It must return at once. Default null.
    /// </summary>
    public Action<string?>? ListenerChanged { get; set; }

    /// <summary>Limits the connections that are accepted. Default null: every connection is.</summary>
    public IAcceptGate? AcceptGate { get; set; }

    /// <summary>
    /// Serves each connection where it was accepted, on a loop or where <see cref="Scheduling"/> says, instead of whoever accepts
    /// from the listener, who then gets none: Kestrel's books of a connection and its hop to the thread pool are saved. It disposes
    /// of the connection in the end, and its task does not fail. Features that Kestrel adds to a connection are its own to add.
    /// Default null.
    /// </summary>
    public ConnectionDelegate? Serve { get; set; }

    /// <summary>
    /// Creates a socket that is bound to an endpoint and does not listen yet; the listener owns the socket. Default
    /// <see cref="CreateDefaultBoundListenSocket(EndPoint)"/>.
    /// </summary>
    public Func<EndPoint, Socket> CreateBoundListenSocket { get; set; } = CreateDefaultBoundListenSocket;

    /// <summary>
    /// Creates a stream socket that is bound to an endpoint, with the contract of Kestrel's default: a socket on <c>::</c> serves
    /// IPv4 too, and a <see cref="FileHandleEndPoint"/> names a socket that another process has bound (socket activation).
    /// Disposing of that socket leaves its descriptor open.
    /// </summary>
    /// <param name="endpoint">An IP address and port, a Unix socket or a passed descriptor.</param>
    /// <exception cref="SocketException">The address is in use or not available, or the descriptor is not a socket.</exception>
    public static Socket CreateDefaultBoundListenSocket(EndPoint endpoint) => CreateDefaultBoundListenSocket(endpoint, beforeBind: null);

    /// <inheritdoc cref="CreateDefaultBoundListenSocket(EndPoint)"/>
    /// <param name="endpoint">An IP address and port, a Unix socket or a passed descriptor.</param>
    /// <param name="beforeBind">Sets options that the socket must have when it is bound; not called for a passed descriptor.</param>
    public static Socket CreateDefaultBoundListenSocket(EndPoint endpoint, Action<Socket>? beforeBind)
    {
        if (endpoint is FileHandleEndPoint passed)
            return new(new SafeSocketHandle((nint)passed.FileHandle, ownsHandle: false));

        var protocol = endpoint is UnixDomainSocketEndPoint ? ProtocolType.Unspecified : ProtocolType.Tcp;
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, protocol);
        try
        {
            if (endpoint is IPEndPoint { Address: var address } && address.Equals(IPAddress.IPv6Any))
                socket.DualMode = true;
            beforeBind?.Invoke(socket);
            socket.Bind(endpoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

using System.Net;
using System.Net.Sockets;
using Perch.Endpoints;

namespace Perch.Datagrams;

/// <summary>
/// A bound UDP socket, and how datagrams go in and out of it. One thread receives and sends replies in batches; any thread
/// may send single ones. Nothing here waits for a peer: what the system does not take at once is not sent.
/// </summary>
internal abstract class DatagramChannel(Socket socket) : IDisposable
{
    /// <summary>Most datagrams of one receive.</summary>
    public const int BatchSize = 64;

    private readonly Lock _lock = new();
    private bool _closed;
    private long _lastDrops;

    /// <summary>The bound address and port.</summary>
    public IPEndPoint LocalEndPoint { get; } = (IPEndPoint)socket.LocalEndPoint!;

    /// <summary>What the system has dropped because the receive buffer was full; 0 where it does not tell.</summary>
    public long KernelDrops
    {
        get
        {
            lock (_lock) return _closed ? _lastDrops : _lastDrops = DatagramSocket.KernelDrops(socket);
        }
    }

    protected Socket Socket => socket;

    /// <inheritdoc cref="DatagramSocket.SetReceiveBuffer"/>
    public int SetReceiveBuffer(int bytes) => DatagramSocket.SetReceiveBuffer(socket, bytes);

    public static DatagramChannel Open(ListenAddress listen)
    {
        var socket = DatagramSocket.Bind(listen);
        try
        {
            return BatchedChannel.IsSupported ? new BatchedChannel(socket) : new PlainChannel(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Waits for datagrams and puts them into the first places of the ring. Once <see cref="StopReceiving"/> was called it
    /// takes what has arrived and waits no more.
    /// </summary>
    /// <returns>How many; 0 where it was woken, or the stop has come and nothing is left.</returns>
    /// <exception cref="SocketException">The socket has an error; the next call may work.</exception>
    public abstract int Receive(DatagramContext[] ring);

    /// <summary>Sends the reply of each of them.</summary>
    /// <param name="replies">At most <see cref="BatchSize"/>.</param>
    /// <param name="bytes">The payload of those that the system has taken.</param>
    /// <returns>How many the system has taken.</returns>
    public abstract int Send(ReadOnlySpan<DatagramContext> replies, out long bytes);

    /// <summary>Sends one datagram; callable by any thread, also after the socket was closed.</summary>
    /// <returns>Whether the system has taken it.</returns>
    public abstract bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload);

    /// <summary>Ends the wait of <see cref="Receive"/>. Sending goes on.</summary>
    public abstract void StopReceiving();

    /// <summary>Closes the socket; nobody receives any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_closed) return;
            _lastDrops = DatagramSocket.KernelDrops(socket);
            _closed = true;
        }

        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => socket.Dispose();
}

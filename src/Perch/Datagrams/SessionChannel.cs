using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Perch.Datagrams;

/// <summary>How a session's datagrams come in and go out.</summary>
internal abstract class SessionChannel : IDisposable
{
    public abstract IPEndPoint LocalEndPoint { get; }

    /// <summary>True if a datagram waits to be received.</summary>
    public abstract bool HasReceived { get; }

    /// <inheritdoc cref="DatagramSession.TryEnd"/>
    public virtual bool TryEnd() => true;

    public abstract ValueTask<DatagramReceived> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    public abstract bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload);

    /// <inheritdoc cref="DatagramBurst.Send"/>
    public virtual int Send(in ReturnAddress to, ReadOnlySpan<byte> payloads, int each, out int refused)
    {
        var passed = refused = 0;
        for (var rest = payloads; !rest.IsEmpty; passed++)
        {
            if (!TrySend(to, rest[..Math.Min(each, rest.Length)])) refused++;
            rest = rest[Math.Min(each, rest.Length)..];
        }

        return passed;
    }

    public abstract void Dispose();
}

/// <summary>A socket of the session's own.</summary>
internal sealed class OwnPort : SessionChannel
{
    private readonly Socket _socket;
    private readonly SocketAddress _from;
    private readonly ReturnAddress _asked;

    /// <exception cref="SocketException">No port is to be had.</exception>
    public OwnPort(in ReturnAddress asked, IPEndPoint endpoint)
    {
        _asked = asked;
        var address = asked.Local is { } local && endpoint.AddressFamily == AddressFamily.InterNetworkV6 ? local.MapToIPv6() : asked.Local ?? endpoint.Address;
        _socket = new(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (address.AddressFamily == AddressFamily.InterNetworkV6) _socket.DualMode = true;
            if (asked.Interface != 0 && address.IsIPv6LinkLocal) address = new(address.GetAddressBytes(), asked.Interface);
            _socket.Blocking = false;
            _socket.Bind(new IPEndPoint(address, 0));
        }
        catch
        {
            _socket.Dispose();
            throw;
        }

        _from = new(_socket.AddressFamily);
        LocalEndPoint = (IPEndPoint)_socket.LocalEndPoint!;
    }

    public override IPEndPoint LocalEndPoint { get; }

    public override bool HasReceived => _socket.Available > 0;

    public override async ValueTask<DatagramReceived> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                _from.Size = _from.Buffer.Length;
                var length = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, _from, cancellationToken);
                return new(length, WayBack(length), IsTruncated: false);
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.MessageSize)
            {
                return new(buffer.Length, WayBack(buffer.Length), IsTruncated: true);
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionRefused)
            {
                // Some earlier datagram did not arrive; the peer's silence tells as much.
            }
        }
    }

    public override bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload)
    {
        if (BatchedChannel.IsSupported) return DatagramBurst.Send(_socket, to, wantsLocal: false, payload, payload.Length, out var refused) == 1 && refused == 0;
        try
        {
            var address = _socket.AddressFamily == AddressFamily.InterNetworkV6 ? to.Peer.Address.MapToIPv6() : to.Peer.Address;
            return _socket.SendTo(payload, SocketFlags.None, new IPEndPoint(address, to.Peer.Port)) == payload.Length;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    public override int Send(in ReturnAddress to, ReadOnlySpan<byte> payloads, int each, out int refused) =>
        BatchedChannel.IsSupported ? DatagramBurst.Send(_socket, to, wantsLocal: false, payloads, each, out refused) : base.Send(to, payloads, each, out refused);

    public override void Dispose() => _socket.Dispose();

    private ReturnAddress WayBack(int length)
    {
        var from = new PeerAddress((IPEndPoint)LocalEndPoint.Create(_from));
        return new(from, _asked.LocalHigh, _asked.LocalLow, _asked.Interface, ReplyBudget.For(length, from.IsIPv4));
    }
}

/// <summary>The endpoint's socket: its receive thread brings what the peer sends.</summary>
internal sealed class EndpointPort(SessionTable sessions, DatagramChannel channel, PeerAddress peer) : SessionChannel
{
    /// <summary>What waits for the session at most; a peer that sends more loses it, as it would in a full receive buffer.</summary>
    private const int MostWaiting = 64;

    private readonly Lock _lock = new();
    private readonly Channel<(byte[] Bytes, int Length, ReturnAddress From)> _inbox =
        Channel.CreateBounded<(byte[], int, ReturnAddress)>(new BoundedChannelOptions(MostWaiting) { SingleReader = true, SingleWriter = true });

    public override IPEndPoint LocalEndPoint => channel.LocalEndPoint;

    public override bool HasReceived => _inbox.Reader.TryPeek(out _);

    /// <summary>True after the end of the session: the endpoint's handler then receives the datagrams of the peer.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>On the receive thread.</summary>
    /// <returns>False if the session is too slow, or has ended.</returns>
    public bool TryDeliver(DatagramContext context)
    {
        lock (_lock) return !HasEnded && TryWrite(context);
    }

    public override bool TryEnd()
    {
        lock (_lock)
        {
            if (HasReceived) return false;
            HasEnded = true;
        }

        sessions.Forget(peer, this);
        return true;
    }

    private bool TryWrite(DatagramContext context)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Math.Max(1, context.Length));
        context.Payload.Span.CopyTo(bytes);
        if (_inbox.Writer.TryWrite((bytes, context.Length, context.Return))) return true;
        ArrayPool<byte>.Shared.Return(bytes);
        return false;
    }

    public override async ValueTask<DatagramReceived> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var (bytes, length, from) = await _inbox.Reader.ReadAsync(cancellationToken);
        var taken = Math.Min(length, buffer.Length);
        bytes.AsSpan(0, taken).CopyTo(buffer.Span);
        ArrayPool<byte>.Shared.Return(bytes);
        return new(taken, from, taken < length);
    }

    public override bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload) => channel.TrySend(to, payload);

    public override int Send(in ReturnAddress to, ReadOnlySpan<byte> payloads, int each, out int refused) =>
        channel is BatchedChannel batched ? batched.Send(to, payloads, each, out refused) : base.Send(to, payloads, each, out refused);

    public override void Dispose()
    {
        lock (_lock) HasEnded = true;
        sessions.Forget(peer, this);
        _inbox.Writer.TryComplete();
        while (_inbox.Reader.TryRead(out var left)) ArrayPool<byte>.Shared.Return(left.Bytes);
    }
}

using System.Net;
using System.Net.Sockets;

namespace Perch.Datagrams;

/// <summary>
/// .NET's own sockets, one datagram at a time, for systems without recvmmsg. Replies leave from the address that the system
/// chooses: bind one endpoint to each address where that matters.
/// </summary>
internal sealed class PlainChannel : DatagramChannel
{
    /// <summary>How long a wait may outlast the stop.</summary>
    private const int ReceiveTimeout = 250;

    private readonly AddressFamily _family;
    private readonly SocketAddress _peer;
    private readonly SocketAddress _replyTo;
    private volatile bool _stopping;

    public PlainChannel(Socket socket)
        : base(socket)
    {
        _family = socket.AddressFamily;
        _peer = new(_family);
        _replyTo = new(_family);
        socket.ReceiveTimeout = ReceiveTimeout;
    }

    public override int Receive(DatagramContext[] ring)
    {
        if (_stopping && Socket.Available == 0) return 0;
        try
        {
            _peer.Size = _peer.Buffer.Length;
            var length = Socket.ReceiveFrom(ring[0].Bytes.AsSpan(0, DatagramContext.BufferBytes), SocketFlags.None, _peer);
            ring[0].Received(PeerOf(_peer), length, isTruncated: false);
            return 1;
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock or SocketError.Interrupted or SocketError.ConnectionReset)
        {
            return 0;
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.MessageSize)
        {
            ring[0].Received(PeerOf(_peer), DatagramContext.BufferBytes, isTruncated: true);
            return 1;
        }
    }

    public override int Send(ReadOnlySpan<DatagramContext> replies, out long bytes)
    {
        (var taken, bytes) = (0, 0);
        foreach (var reply in replies)
        {
            if (!TrySend(reply.Peer, reply.ReplyBuffer.Written, _replyTo)) continue;
            taken++;
            bytes += reply.ReplyBuffer.Length;
        }

        return taken;
    }

    public override bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload) => TrySend(to.Peer, payload, new(_family));

    public override void StopReceiving() => _stopping = true;

    private bool TrySend(in PeerAddress peer, ReadOnlySpan<byte> payload, SocketAddress to)
    {
        try
        {
            Write(peer, to);
            return Socket.SendTo(payload, SocketFlags.None, to) == payload.Length;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private PeerAddress PeerOf(SocketAddress address) =>
        new((IPEndPoint)new IPEndPoint(_family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0).Create(address));

    private void Write(in PeerAddress peer, SocketAddress to)
    {
        var address = _family == AddressFamily.InterNetworkV6 ? peer.Address.MapToIPv6() : peer.Address;
        var name = new IPEndPoint(address, peer.Port).Serialize();
        name.Buffer.Span[..name.Size].CopyTo(to.Buffer.Span);
        to.Size = name.Size;
    }
}

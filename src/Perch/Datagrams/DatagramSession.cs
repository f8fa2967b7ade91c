using System.Net;
using Perch.Connections;

namespace Perch.Datagrams;

/// <summary>
/// A dialogue of several datagrams with one peer, such as a transfer. To the host it is a connection: it counts in the caps,
/// stands in <c>/connections</c>, holds a drain until its deadline, and ends with an outcome, a log line and its metrics.
/// Started by <see cref="IDatagramEndpoint.TryStartSession"/>; one task at a time receives.
/// </summary>
public sealed class DatagramSession
{
    private readonly SessionConnection _connection;
    private readonly SessionChannel _channel;
    private readonly DatagramServer _server;
    private readonly ReturnAddress _asked;
    private readonly CountedProgress _progress = new();
    private ConnectionState? _state;
    private long _budget;

    internal DatagramSession(DatagramServer server, SessionConnection connection, SessionChannel channel, in ReturnAddress asked)
    {
        (_server, _connection, _channel, _asked, _budget) = (server, connection, channel, asked, asked.Budget);
    }

    /// <summary>The id in every log line about it.</summary>
    public string Id => _connection.ConnectionId;

    /// <summary>Who began it.</summary>
    public PeerAddress Peer => _asked.Peer;

    /// <summary>The address and port that it talks from.</summary>
    public IPEndPoint LocalEndPoint => _channel.LocalEndPoint;

    /// <summary>Cancelled when the endpoint drains: finish, or leave.</summary>
    public CancellationToken Draining => _server.Draining;

    /// <summary>Cancelled when the drain's time is over.</summary>
    public CancellationToken Aborted => _connection.ConnectionClosed;

    /// <summary>Whether <see cref="ConfirmPeer"/> was called.</summary>
    public bool IsPeerConfirmed { get; private set; }

    /// <summary>
    /// The peer has shown that it receives: it has sent what only one can send who got a datagram of this session, such as
    /// an acknowledgement at a port or with a number that could not be guessed. The reply budget ends here, and the rate.
    /// </summary>
    public void ConfirmPeer() => IsPeerConfirmed = true;

    /// <summary>
    /// The most that a datagram to the peer can carry without being cut on the way, as far as the system knows: asked anew by
    /// each call. 65,507 or less.
    /// </summary>
    public int MaxPayloadBytes => Math.Min(ReplyBuffer.MostBytes, PathMtu.To(Peer) - ReplyBudget.WireBytes(0, Peer.IsIPv4));

    /// <summary>
    /// Lets an unconfirmed peer be sent one datagram that its budget would not allow, for a protocol whose first answer cannot
    /// be kept small. It makes a forged request worth something: the protocol bounds how often it is called for one source.
    /// </summary>
    /// <param name="payload">Bytes of that datagram.</param>
    public void AllowOnce(int payload) => _budget = Math.Max(_budget, ReplyBudget.WireBytes(payload, Peer.IsIPv4));

    /// <summary>True if a datagram waits, so that <see cref="ReceiveAsync"/> returns it at once.</summary>
    public bool HasReceived => _channel.HasReceived;

    /// <summary>
    /// Stops receiving, unless a datagram waits. On <see cref="SessionPort.Endpoint"/> the endpoint's handler gets what the peer sends from
    /// now on, so that a peer that begins its next dialogue at once is heard by one of the two. Nothing is received after true.
    /// </summary>
    /// <returns>False if a datagram waits: receive it, and call this again.</returns>
    public bool TryEnd() => _channel.TryEnd();

    /// <summary>Receives the next datagram. On <see cref="SessionPort.Own"/> look at who sent it.</summary>
    /// <param name="buffer">Where to put it.</param>
    /// <param name="cancellationToken">Ends the wait; a protocol's timeout, and <see cref="Aborted"/>.</param>
    /// <exception cref="OperationCanceledException">Nothing came before the token was cancelled.</exception>
    public async ValueTask<DatagramReceived> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var received = await _channel.ReceiveAsync(buffer, cancellationToken);
        _progress.BytesReceived += received.Length;
        if (_channel is OwnPort) _server.Traffic.AddReceived(1, 0);
        if (received.From.Peer == Peer) _budget += received.From.Budget;
        return received;
    }

    /// <summary>Sends to the peer, within the budget until it is confirmed; never waits.</summary>
    /// <returns>False where it was not sent; it is counted then.</returns>
    public bool TrySend(ReadOnlySpan<byte> payload)
    {
        var cost = ReplyBudget.WireBytes(payload.Length, Peer.IsIPv4);
        if (!IsPeerConfirmed && !_server.MaySend(Peer, payload.Length, (int)Math.Min(_budget, int.MaxValue))) return false;
        _budget -= cost;
        return Send(_asked, payload);
    }

    /// <summary>Sends to somebody else, such as a stranger who is told that this is not for him; held to the budget of what he sent.</summary>
    /// <returns>False where it was not sent; it is counted then.</returns>
    public bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload) =>
        to.Peer == Peer ? TrySend(payload) : _server.MaySend(to.Peer, payload.Length, to.Budget) && Send(to, payload);

    /// <summary>
    /// Sends several datagrams to a confirmed peer, with as few system calls as can be; never waits. What the system refuses for
    /// another reason than a full buffer is passed over and counted, as if it were lost on the way.
    /// </summary>
    /// <param name="payloads">The datagrams, one behind the other.</param>
    /// <param name="each">Bytes of each but the last.</param>
    /// <returns>How many of them are on their way or passed over; the send buffer has no room for the rest, or the session is over.</returns>
    /// <exception cref="InvalidOperationException">The peer is not confirmed: each datagram has to be held to its budget.</exception>
    public int Send(ReadOnlySpan<byte> payloads, int each)
    {
        if (!IsPeerConfirmed) throw new InvalidOperationException("Several datagrams are sent to a confirmed peer only.");
        var passed = _channel.Send(_asked, payloads, each, out var refused);
        if (refused > 0) _server.Traffic.Drop(DropReason.Send, refused);
        _progress.BytesSent += Math.Min((long)passed * each, payloads.Length);
        _server.Traffic.AddSent(passed - refused, 0);
        return passed;
    }

    /// <summary>Counts messages, for the metrics and the log.</summary>
    /// <param name="count">How many more were handled.</param>
    public void CountMessages(int count = 1) => State.Messages += count;

    /// <inheritdoc cref="IPerchConnectionFeature.TrySetOutcome"/>
    public bool TrySetOutcome(ConnectionOutcome outcome) => State.TrySetOutcome(outcome);

    /// <summary>Called before the session is served.</summary>
    internal void Begin() => State.Progress = _progress;

    private ConnectionState State => _state ??= ConnectionState.Of(_connection)!;

    private bool Send(in ReturnAddress to, ReadOnlySpan<byte> payload)
    {
        if (!_channel.TrySend(to, payload))
        {
            _server.Traffic.Drop(DropReason.Send);
            return false;
        }

        _progress.BytesSent += payload.Length;
        _server.Traffic.AddSent(1, 0);
        return true;
    }
}

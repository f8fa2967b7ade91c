using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Endpoints;
using Perch.Messages;
using Perch.Transport;

namespace Perch.Connections;

/// <summary>
/// One connection while it lives. The counters are written by the connection's own reads and flushes and read by the
/// heartbeat and by scrapes without a lock: each is one aligned word that only grows, so a reader sees an old value at worst.
/// </summary>
internal sealed class ConnectionState : IPerchConnectionFeature, IHandlerPeer
{
    private const int Unset = -1;

    private readonly ConnectionContext _connection;
    private int _outcome = Unset;
    private string? _peer;
    private IConnectionProgressFeature? _progress;

    public ConnectionState(ConnectionContext connection, EndpointTraffic traffic, TimeProvider time)
    {
        _connection = connection;
        Traffic = traffic;
        Owner = connection.Features.Get<Endpoint>();
        Draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        StartedAt = time.GetUtcNow();
        StartTimestamp = time.GetTimestamp();
    }

    public string Id => _connection.ConnectionId;

    public EndpointTraffic Traffic { get; }

    /// <summary>The endpoint that accepted it.</summary>
    public Endpoint? Owner { get; }

    /// <summary>Cancelled when the endpoint drains.</summary>
    public CancellationToken Draining { get; }

    string IHandlerPeer.ConnectionId => Id;

    string IHandlerPeer.Endpoint => Traffic.Endpoint;

    IPEndPoint? IHandlerPeer.Remote => _connection.RemoteEndPoint as IPEndPoint;

    CancellationToken IHandlerPeer.Aborted => _connection.ConnectionClosed;

    string IPerchConnectionFeature.Endpoint => Traffic.Endpoint;

    string IPerchConnectionFeature.Protocol => Traffic.Protocol;

    /// <summary>Made when it is first asked for: most idle connections are never told of.</summary>
    public string Peer => _peer ??= Describe(_connection.RemoteEndPoint);

    public DateTimeOffset StartedAt { get; }

    public long StartTimestamp { get; }

    public long BytesReceived
    {
        get => _progress?.BytesReceived ?? field;
        set;
    }

    public long BytesSent
    {
        get => _progress?.BytesSent ?? field;
        set;
    }

    public long Messages { get; set; }

    /// <summary>The handler waits for the peer to send.</summary>
    public bool ReadPending
    {
        get => _progress?.IsReadPending ?? field;
        set;
    }

    /// <summary>Odd while a flush waits for the peer to read; every such wait has a number of its own.</summary>
    public int FlushWaits
    {
        get => _progress?.FlushWaits ?? field;
        private set;
    }

    /// <summary>The peer's end of stream was read.</summary>
    public bool PeerClosed
    {
        get => _progress?.HasPeerEnded ?? field;
        set;
    }

    /// <summary>A flush found that nobody reads any more.</summary>
    public bool PeerGone
    {
        get => _progress?.HasPeerLeft ?? field;
        set;
    }

    /// <summary>The connection was gone before the handler threw, and not by the close that followed.</summary>
    public bool GoneBeforeFault { get; set; }

    public ConnectionOutcome? Outcome => Volatile.Read(ref _outcome) is var value && value == Unset ? null : (ConnectionOutcome)value;

    public bool TrySetOutcome(ConnectionOutcome outcome) =>
        Interlocked.CompareExchange(ref _outcome, (int)outcome, Unset) == Unset;

    /// <summary>The handler is done, and the transport sends what it wrote.</summary>
    public bool Closing { get; set; }

    /// <summary>Counted against the caps.</summary>
    public bool IsAdmitted { get; set; }

    void IHandlerPeer.CountMessages(int count) => Messages += count;

    void IHandlerPeer.SetOutcome(ConnectionOutcome outcome) => TrySetOutcome(outcome);

    /// <returns>The state that the pipeline has given a connection; null outside the host.</returns>
    public static ConnectionState? Of(ConnectionContext connection) => connection.Features.Get<IPerchConnectionFeature>() as ConnectionState;

    /// <summary>Has a transport that counts by itself tell the counters, and whether something waits for the peer.</summary>
    public void Follow(IConnectionProgressFeature progress) => _progress = progress;

    public void BeginFlushWait() => FlushWaits |= 1;

    public void EndFlushWait() => FlushWaits += FlushWaits & 1;

    /// <summary>Names the outcome and takes the socket away; the handler sees an aborted connection.</summary>
    public void Abort(ConnectionOutcome outcome)
    {
        // A handler that was done has named its end before the peer took the last bytes; it did not come to that.
        if (!TrySetOutcome(outcome)) Interlocked.CompareExchange(ref _outcome, (int)outcome, (int)ConnectionOutcome.Completed);
        _connection.Abort(new ConnectionAbortedException($"Perch ended the connection: {outcome}."));
    }

    private static string Describe(EndPoint? peer) => peer switch
    {
        IPEndPoint { Address.IsIPv4MappedToIPv6: true } ip => new IPEndPoint(ip.Address.MapToIPv4(), ip.Port).ToString(),
        IPEndPoint ip => ip.ToString(),
        _ => "unix",
    };
}

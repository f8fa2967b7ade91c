using System.Diagnostics;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Endpoints;
using Perch.Messages;
using Perch.Transport;

namespace Perch.Connections;

/// <summary>
/// One connection while it lives. The counters are written by the connection's own reads and flushes and read by the
/// timeouts and by scrapes without a lock: each is one aligned word that only grows, so a reader sees an old value at worst.
/// It is also what Kestrel gives a connection that it serves itself: the request to close, the heartbeat, and what runs at the end.
/// </summary>
internal sealed class ConnectionState : IPerchConnectionFeature, IHandlerPeer, IConnectionLifetimeNotificationFeature, IConnectionHeartbeatFeature, IConnectionCompleteFeature
{
    private const byte Unset = byte.MaxValue;
    private const int HandlerUnit = 64;

    private readonly DateTime _startedAt;

    /// <summary>Memory that the handler holds, in units of <see cref="HandlerUnit"/>: an idle connection has no room for eight bytes more.</summary>
    private int _handlerUnits;
    private byte _outcome = Unset;
    private PipeReader? _readOnDrain;
    private CancellationTokenSource? _closeRequested;
    private volatile bool _isCloseRequested;
    private Action? _onHeartbeat;
    private Stack<Func<Task>>? _onCompleted;
    private ConnectionActivity _lastActivity;
    private volatile bool _hasSpan;

    public ConnectionState(ConnectionContext connection, EndpointTraffic traffic, TimeProvider time)
    {
        Connection = connection;
        Traffic = traffic;
        Owner = connection.Features.Get<Endpoint>();
        _startedAt = time.GetUtcNow().UtcDateTime;
        StartTimestamp = time.GetTimestamp();
        (_lastActivity.BytesSince, _lastActivity.FlushSince) = (StartTimestamp, StartTimestamp);
    }

    public ConnectionContext Connection { get; }

    public string Id => Connection.ConnectionId;

    public EndpointTraffic Traffic { get; }

    /// <summary>The endpoint that accepted it.</summary>
    public Endpoint? Owner { get; }

    /// <summary>Its endpoint drains, or somebody has asked for its end.</summary>
    public bool IsDraining => _isCloseRequested || Owner is { IsDraining: true };

    /// <summary>Cancelled when <see cref="IsDraining"/> comes to be; made when it is first asked for.</summary>
    public CancellationToken Draining
    {
        get
        {
            var source = LazyInitializer.EnsureInitialized(ref _closeRequested);
            if (IsDraining) source.Cancel();
            return source.Token;
        }
    }

    CancellationToken IConnectionLifetimeNotificationFeature.ConnectionClosedRequested
    {
        get => Draining;
        set => throw new NotSupportedException("The host says when a connection is to close; call RequestClose.");
    }

    string IHandlerPeer.ConnectionId => Id;

    string IHandlerPeer.Endpoint => Traffic.Endpoint;

    IPEndPoint? IHandlerPeer.Remote => Connection.RemoteEndPoint as IPEndPoint;

    CancellationToken IHandlerPeer.Aborted => Connection.ConnectionClosed;

    string IPerchConnectionFeature.ConnectionId => Id;

    string IPerchConnectionFeature.Endpoint => Traffic.Endpoint;

    string IPerchConnectionFeature.Protocol => Traffic.Protocol;

    /// <summary>Made anew by each call: most idle connections are never told of.</summary>
    public string Peer => Describe(Connection.RemoteEndPoint);

    public DateTimeOffset StartedAt => new(_startedAt);

    public long StartTimestamp { get; }

    /// <summary>The memory that it occupies; null if its transport does not count it.</summary>
    public IConnectionMemoryFeature? Memory => Connection as IConnectionMemoryFeature;

    /// <summary>Bytes of memory that its transport and its handler hold for it.</summary>
    public long BytesOccupied =>
        (Memory?.BytesOccupied ?? (Connection.Transport.Input as CountingPipeReader)?.Unread ?? 0) + (Volatile.Read(ref _handlerUnits) * (long)HandlerUnit);

    /// <summary>What has gone over it; null before anything can have.</summary>
    public IConnectionProgressFeature? Progress { get; set; }

    public long BytesReceived => Progress?.BytesReceived ?? 0;

    public long BytesSent => Progress?.BytesSent ?? 0;

    public long Messages { get; set; }

    /// <summary>The handler waits for the peer to send.</summary>
    public bool ReadPending => Progress?.IsReadPending ?? false;

    /// <summary>Odd while a flush waits for the peer to read; every such wait has a number of its own.</summary>
    public int FlushWaits => Progress?.FlushWaits ?? 0;

    /// <summary>The peer's end of stream was read.</summary>
    public bool PeerClosed => Progress?.HasPeerEnded ?? false;

    /// <summary>A flush found that nobody reads any more.</summary>
    public bool PeerGone => Progress?.HasPeerLeft ?? false;

    /// <summary>Those that hold for it; null where none do.</summary>
    public ConnectionTimeouts? Timeouts { get; set; }

    /// <summary>The timeouts' own.</summary>
    public ref ConnectionActivity LastActivity => ref _lastActivity;

    /// <summary>The place among the live connections of its endpoint, which is theirs to give; less than zero without one.</summary>
    public int Place { get; set; } = -1;

    /// <summary>The connection was gone before the handler threw, and not by the close that followed.</summary>
    public bool GoneBeforeFault { get; set; }

    public ConnectionOutcome? Outcome => Volatile.Read(ref _outcome) is var value && value == Unset ? null : (ConnectionOutcome)value;

    public bool TrySetOutcome(ConnectionOutcome outcome) =>
        Interlocked.CompareExchange(ref _outcome, (byte)outcome, Unset) == Unset;

    /// <summary>The handler is done, and the transport sends what it wrote.</summary>
    public bool Closing { get; set; }

    /// <summary>Counted against the caps.</summary>
    public bool IsAdmitted { get; set; }

    /// <summary>The cap that has rejected it.</summary>
    public Cap RejectedBy { get; set; }

    /// <summary>
    /// The connection's span; null without a listener. It is one of the connection's features, so that a connection without a span has
    /// no field for it. Set at most once, before the pipeline runs.
    /// </summary>
    public Activity? Span
    {
        get => _hasSpan ? Connection.Features.Get<Activity>() : null;
        set
        {
            Connection.Features.Set(value);
            _hasSpan = value is not null;
        }
    }

    /// <summary>Number of <c>store</c> events that the span has.</summary>
    public byte StoreEvents { get; set; }

    public void CountMemory(long bytes) => Interlocked.Add(ref _handlerUnits, (int)(bytes / HandlerUnit));

    void IHandlerPeer.CountMessages(int count) => Messages += count;

    void IHandlerPeer.SetOutcome(ConnectionOutcome outcome)
    {
        // Of the handlers only a blocking one rejects, for want of a thread.
        if (TrySetOutcome(outcome) && outcome == ConnectionOutcome.Rejected)
            RejectedBy = Cap.Threads;
    }

    /// <returns>The state that the pipeline has given a connection; null outside the host.</returns>
    public static ConnectionState? Of(ConnectionContext connection) => connection.Features.Get<IPerchConnectionFeature>() as ConnectionState;

    /// <summary>
    /// The read that waits when the endpoint drains returns, or else the next, so that an idle connection ends at once. It costs no
    /// registration: who drains the endpoint goes through its connections.
    /// </summary>
    public void CancelReadOnDrain(PipeReader input)
    {
        _readOnDrain = input;
        // The drain may have gone through the connections before.
        Interlocked.MemoryBarrier();
        if (IsDraining) input.CancelPendingRead();
    }

    /// <summary>Asks for its end: a read that was to be cancelled then is, and the token tells who waits for it.</summary>
    /// <exception cref="AggregateException">Callbacks of the token threw.</exception>
    public void RequestClose()
    {
        _isCloseRequested = true;
        // Who makes a token, or names a read, after this has looked sees the flag.
        Interlocked.MemoryBarrier();
        Volatile.Read(ref _readOnDrain)?.CancelPendingRead();
        Volatile.Read(ref _closeRequested)?.Cancel();
    }

    /// <summary>Has an action called once a second, on the thread of the timeouts: it must return at once.</summary>
    public void OnHeartbeat(Action<object> action, object state) => _onHeartbeat += () => action(state);

    public void Heartbeat() => _onHeartbeat?.Invoke();

    /// <summary>Has a callback run when the handler is done, the last that was added first.</summary>
    public void OnCompleted(Func<object, Task> callback, object state) => (_onCompleted ??= new()).Push(() => callback(state));

    /// <returns>The next of <see cref="OnCompleted"/> to run, once each; null where there is none.</returns>
    public Func<Task>? TakeCompletion() => _onCompleted is { Count: > 0 } ? _onCompleted.Pop() : null;

    /// <summary>Names the outcome and takes the socket away; the handler sees an aborted connection.</summary>
    public void Abort(ConnectionOutcome outcome)
    {
        // A handler that was done has named its end before the peer took the last bytes; it did not come to that.
        if (!TrySetOutcome(outcome)) Interlocked.CompareExchange(ref _outcome, (byte)outcome, (byte)ConnectionOutcome.Completed);
        Connection.Abort(new ConnectionAbortedException($"Perch ended the connection: {outcome}."));
    }

    private static string Describe(EndPoint? peer) => peer switch
    {
        IPEndPoint { Address.IsIPv4MappedToIPv6: true } ip => new IPEndPoint(ip.Address.MapToIPv4(), ip.Port).ToString(),
        IPEndPoint ip => ip.ToString(),
        _ => "unix",
    };
}

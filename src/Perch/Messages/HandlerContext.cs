using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;

namespace Perch.Messages;

/// <summary>What a handler knows of the peer it serves, whatever its shape.</summary>
public abstract class HandlerContext
{
    private readonly IHandlerPeer _peer;
    private bool _isDraining;

    private protected HandlerContext(ConnectionContext connection)
        : this(ConnectionState.Of(connection) ?? (IHandlerPeer)new ConnectionPeer(connection))
    {
    }

    private protected HandlerContext(IHandlerPeer peer) => _peer = peer;

    /// <summary>The connection's id: the same in every log line about it. On UDP each datagram has its own.</summary>
    public string ConnectionId => _peer.ConnectionId;

    /// <summary>The endpoint's name, or an empty text outside the host.</summary>
    public string Endpoint => _peer.Endpoint;

    /// <summary>The peer's address, or null for a Unix socket. On UDP it is made anew by each call.</summary>
    public IPEndPoint? Remote => _peer.Remote;

    /// <summary>Cancelled when the endpoint drains: finish the message in hand and leave.</summary>
    public CancellationToken Draining => _peer.Draining;

    /// <summary>Cancelled when the connection is gone, on UDP when the drain's time is over: nothing can be read or sent any more.</summary>
    public CancellationToken Aborted => _peer.Aborted;

    /// <inheritdoc cref="IHandlerPeer.CancelReadOnDrain"/>
    internal void CancelReadOnDrain(PipeReader input) => _peer.CancelReadOnDrain(input);

    /// <summary>
    /// Whether the endpoint drains. The drain cancels a read (<see cref="CancelReadOnDrain"/>), so the peer, whose flag is in nobody's
    /// cache, is asked only then.
    /// </summary>
    internal bool IsDraining(in ReadResult read) => _isDraining |= read.IsCanceled && _peer.IsDraining;

    internal void CountMessages(int count) => _peer.CountMessages(count);

    internal void SetOutcome(ConnectionOutcome outcome) => _peer.SetOutcome(outcome);
}

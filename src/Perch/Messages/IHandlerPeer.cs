using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Connections;

namespace Perch.Messages;

/// <summary>What is behind a handler's context: a connection, or a datagram.</summary>
internal interface IHandlerPeer
{
    string ConnectionId { get; }

    string Endpoint { get; }

    IPEndPoint? Remote { get; }

    CancellationToken Draining { get; }

    /// <summary>The same without a token, which some would make for it.</summary>
    bool IsDraining => Draining.IsCancellationRequested;

    CancellationToken Aborted { get; }

    /// <summary>Has a read of a connection return when the endpoint drains: the one that waits, or else the next.</summary>
    void CancelReadOnDrain(PipeReader input);

    void CountMessages(int count);

    void SetOutcome(ConnectionOutcome outcome);
}

/// <summary>The peer of a connection that is not in the host, which may give it a feature all the same; in the host it is <see cref="ConnectionState"/>.</summary>
internal sealed class ConnectionPeer(ConnectionContext connection) : IHandlerPeer
{
    private readonly IPerchConnectionFeature? _feature = connection.Features.Get<IPerchConnectionFeature>();

    public string ConnectionId => connection.ConnectionId;

    public string Endpoint => _feature?.Endpoint ?? "";

    public IPEndPoint? Remote => connection.RemoteEndPoint as IPEndPoint;

    public CancellationToken Draining { get; } = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

    public CancellationToken Aborted => connection.ConnectionClosed;

    public void CancelReadOnDrain(PipeReader input) => Draining.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), input);

    public void CountMessages(int count)
    {
        if (_feature is not null) _feature.Messages += count;
    }

    public void SetOutcome(ConnectionOutcome outcome) => _feature?.TrySetOutcome(outcome);
}

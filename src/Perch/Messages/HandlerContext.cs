using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Connections;

namespace Perch.Messages;

/// <summary>What a handler knows of the connection it serves, whatever its shape.</summary>
public abstract class HandlerContext
{
    private readonly ConnectionContext _connection;
    private readonly IPerchConnectionFeature? _feature;

    private protected HandlerContext(ConnectionContext connection)
    {
        _connection = connection;
        _feature = connection.Features.Get<IPerchConnectionFeature>();
        Draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
    }

    /// <summary>The connection's id: the same in every log line about it.</summary>
    public string ConnectionId => _connection.ConnectionId;

    /// <summary>The endpoint's name, or an empty text outside the host.</summary>
    public string Endpoint => _feature?.Endpoint ?? "";

    /// <summary>The peer's address, or null for a Unix socket.</summary>
    public IPEndPoint? Remote => _connection.RemoteEndPoint as IPEndPoint;

    /// <summary>Cancelled when the endpoint drains: finish the message in hand and leave.</summary>
    public CancellationToken Draining { get; }

    /// <summary>Cancelled when the connection is gone: nothing can be read or sent any more.</summary>
    public CancellationToken Aborted => _connection.ConnectionClosed;

    internal void CountMessages(int count)
    {
        if (_feature is not null) _feature.Messages += count;
    }

    internal void SetOutcome(ConnectionOutcome outcome) => _feature?.TrySetOutcome(outcome);
}

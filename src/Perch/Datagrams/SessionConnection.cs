using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Perch.Endpoints;

namespace Perch.Datagrams;

/// <summary>What a session is to the pipeline of connections: a connection without a stream.</summary>
internal sealed class SessionConnection : ConnectionContext
{
    private readonly CancellationTokenSource _closed = new();

    public SessionConnection(string id, Endpoint owner, PeerAddress peer, IPEndPoint local)
    {
        ConnectionId = id;
        RemoteEndPoint = peer.ToIPEndPoint();
        LocalEndPoint = local;
        ConnectionClosed = _closed.Token;
        Features.Set(owner);
    }

    public override string ConnectionId { get; set; }

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

    public override IDuplexPipe Transport
    {
        get => throw new NotSupportedException("A session of datagrams has no stream.");
        set => throw new NotSupportedException("A session of datagrams has no stream.");
    }

    /// <summary>The protocol's own code.</summary>
    public Func<Task> Serve { get; set; } = () => Task.CompletedTask;

    /// <summary>Called where <see cref="Serve"/> was not.</summary>
    public Func<Task>? Rejected { get; set; }

    /// <remarks>What protocols wait for is cancelled with this token or not at all: nothing is left to free.</remarks>
    public override void Abort(ConnectionAbortedException abortReason) => _closed.Cancel();
}

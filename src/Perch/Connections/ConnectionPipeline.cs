using Microsoft.AspNetCore.Connections;
using Perch.Datagrams;
using Perch.Endpoints;

namespace Perch.Connections;

/// <summary>
/// The order of the pipeline, outermost first. Nothing else composes middleware.
/// A guard that comes later takes its place here: PROXY protocol, caps per address and TLS between admission and timeouts.
/// </summary>
internal static class ConnectionPipeline
{
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="handler">What serves its connections.</param>
    /// <param name="services">The host's.</param>
    /// <param name="leave">Called when a connection has ended.</param>
    public static ConnectionDelegate Build(EndpointConfig endpoint, ConnectionHandler handler, PipelineServices services, Func<ValueTask> leave)
    {
        var traffic = services.Registry.TrafficOf(endpoint.Name, endpoint.Protocol.Name);
        traffic.MeterBy(services.Metrics.MessageDuration);
        var outcome = new OutcomeMiddleware(traffic, services, hasStream: true, endpoint.LogConnections, leave);
        var admission = new AdmissionMiddleware(services.Registry, endpoint.TotalConnections, endpoint.Guards);
        var timeouts = new ConnectionTimeouts(endpoint.Guards, endpoint.Protocol.ServerSpeaksFirst, services.Time);

        return Compose(handler.OnConnectedAsync,
            outcome.OnConnectionAsync,
            admission.OnConnectionAsync,
            StartedLog(endpoint, services),
            timeouts.OnConnectionAsync,
            ByteCountMiddleware.OnConnectionAsync,
            FirstByteMiddleware.OnConnectionAsync);
    }

    /// <summary>For sessions of datagrams, which have no stream: their protocols have timeouts of their own.</summary>
    public static ConnectionDelegate BuildSessions(EndpointConfig endpoint, PipelineServices services)
    {
        var traffic = services.Registry.TrafficOf(endpoint.Name, endpoint.Protocol.Name);
        var outcome = new OutcomeMiddleware(
            traffic, services, hasStream: false, endpoint.LogConnections, static () => ValueTask.CompletedTask);
        return Compose(static connection => ((SessionConnection)connection).Serve(),
            outcome.OnConnectionAsync,
            new AdmissionMiddleware(services.Registry, endpoint.TotalConnections, endpoint.Guards).OnConnectionAsync,
            StartedLog(endpoint, services));
    }

    /// <returns>Null, which takes no part in the pipeline, if a start is not logged.</returns>
    private static Func<ConnectionContext, ConnectionDelegate, Task>? StartedLog(EndpointConfig endpoint, PipelineServices services) =>
        endpoint.LogConnections == ConnectionLogging.Both ? new StartedLogMiddleware(services.Logger).OnConnectionAsync : null;

    private static ConnectionDelegate Compose(
        ConnectionDelegate handler, params ReadOnlySpan<Func<ConnectionContext, ConnectionDelegate, Task>?> outermostFirst)
    {
        var next = handler;
        for (var i = outermostFirst.Length - 1; i >= 0; i--)
        {
            if (outermostFirst[i] is not { } middleware)
                continue;
            var inner = next;
            next = connection => middleware(connection, inner);
        }

        return next;
    }
}

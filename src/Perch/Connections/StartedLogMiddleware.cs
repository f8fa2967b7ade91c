using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Perch.Connections;

/// <summary>
/// Writes a log line for each admitted connection. Part of the pipeline only if the endpoint's <c>LogConnections</c> is <c>Both</c>.
/// </summary>
internal sealed partial class StartedLogMiddleware(ILogger logger)
{
    public Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (logger.IsEnabled(LogLevel.Information) && ConnectionState.Of(connection) is { } state)
            Log.Started(logger, state.Id, state.Traffic.Endpoint, state.Traffic.Protocol, state.Peer);
        return next(connection);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 2006, Level = LogLevel.Information, EventName = "ConnectionStarted",
            Message = "Connection {ConnectionId} started: endpoint {Endpoint}, protocol {Protocol}, peer {Peer}")]
        public static partial void Started(ILogger logger, string connectionId, string endpoint, string protocol, string peer);
    }
}

using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Perch.Wire;

namespace Perch.Connections;

/// <summary>
/// The one exception boundary of a connection: it is in the registry before anything runs, and leaves it with an
/// outcome, one log line and its metrics, whatever happened.
/// </summary>
internal sealed partial class OutcomeMiddleware(EndpointTraffic traffic, PipelineServices services)
{
    public async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = new ConnectionState(connection, traffic, services.Time);
        traffic.Add(state);
        connection.Features.Set(state);
        connection.Features.Set<IPerchConnectionFeature>(state);
        connection.Features.Set(services.Metrics);
        using var scope = services.Logger.BeginScope(new ConnectionLogScope(state));
        try
        {
            await next(connection);
            state.TrySetOutcome(OfReturn(connection, state));
        }
        catch (Exception exception)
        {
            var outcome = OfException(exception, connection, state);
            if (state.TrySetOutcome(outcome)) Report(state, outcome, exception);
        }

        End(services, state, state.Outcome ?? ConnectionOutcome.Completed);
    }

    /// <summary>Takes a connection out of the registry; also called for one whose handler never returned from an abort.</summary>
    public static void End(PipelineServices services, ConnectionState state, ConnectionOutcome outcome)
    {
        if (services.Registry.End(state, outcome) is not { } ended) return;
        services.Metrics.ConnectionEnded(ended);
        var level = LevelOf(outcome);
        if (!services.Logger.IsEnabled(level)) return;
        Log.Ended(services.Logger, level, ended.Id, ended.Endpoint, ended.Protocol, ended.Peer, ended.Outcome,
            ended.Duration.TotalSeconds, ended.BytesReceived, ended.BytesSent, ended.Messages);
    }

    /// <summary>Whether the connection's endpoint drains.</summary>
    public static bool IsDraining(ConnectionContext connection) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested.IsCancellationRequested == true;

    private static ConnectionOutcome OfReturn(ConnectionContext connection, ConnectionState state)
    {
        if (state.PeerGone) return ConnectionOutcome.PeerReset;
        if (state.PeerClosed) return ConnectionOutcome.PeerClosed;
        return IsDraining(connection) ? ConnectionOutcome.Drained : ConnectionOutcome.Completed;
    }

    private static ConnectionOutcome OfException(Exception exception, ConnectionContext connection, ConnectionState state) => exception switch
    {
        ProtocolException => ConnectionOutcome.ProtocolViolation,
        ConnectionResetException => ConnectionOutcome.PeerReset,
        OperationCanceledException when state.GoneBeforeFault || exception is ConnectionAbortedException
            => IsDraining(connection) ? ConnectionOutcome.DrainAborted : ConnectionOutcome.PeerReset,
        OperationCanceledException when IsDraining(connection) => ConnectionOutcome.Drained,
        _ => ConnectionOutcome.HandlerFault,
    };

    private void Report(ConnectionState state, ConnectionOutcome outcome, Exception exception)
    {
        if (outcome == ConnectionOutcome.HandlerFault) Log.Faulted(services.Logger, exception, state.Traffic.Endpoint, state.Traffic.Protocol);
        else if (exception is ProtocolException violation) Log.Violated(services.Logger, state.Traffic.Endpoint, violation.Code, violation.Message);
    }

    private static LogLevel LevelOf(ConnectionOutcome outcome) => outcome switch
    {
        ConnectionOutcome.PeerReset => LogLevel.Debug,
        ConnectionOutcome.HandlerFault or ConnectionOutcome.StorageUnavailable => LogLevel.Error,
        ConnectionOutcome.Completed or ConnectionOutcome.PeerClosed or ConnectionOutcome.Drained => LogLevel.Information,
        _ => LogLevel.Warning,
    };

    private static partial class Log
    {
        [LoggerMessage(EventId = 2000, EventName = "ConnectionEnded", Message =
            "Connection {ConnectionId} ended: endpoint {Endpoint}, protocol {Protocol}, peer {Peer}, outcome {Outcome}, "
            + "{Seconds:0.000} s, {BytesReceived} bytes in, {BytesSent} bytes out, {Messages} messages")]
        public static partial void Ended(ILogger logger, LogLevel level, string connectionId, string endpoint, string protocol,
            string peer, ConnectionOutcome outcome, double seconds, long bytesReceived, long bytesSent, long messages);

        [LoggerMessage(2001, LogLevel.Error, "The handler of endpoint {Endpoint} ({Protocol}) threw", EventName = "HandlerFaulted")]
        public static partial void Faulted(ILogger logger, Exception exception, string endpoint, string protocol);

        [LoggerMessage(2002, LogLevel.Warning, "The peer broke the protocol of endpoint {Endpoint}: {Code}: {Reason}", EventName = "ProtocolViolated")]
        public static partial void Violated(ILogger logger, string endpoint, string code, string reason);
    }
}

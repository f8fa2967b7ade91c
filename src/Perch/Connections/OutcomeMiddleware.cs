using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Transport;
using Perch.Transport.Timers;
using Perch.Wire;

namespace Perch.Connections;

/// <summary>
/// The one exception boundary of a connection: it is in the registry before anything runs, and leaves it with an
/// outcome, one log line and its metrics, whatever happened. Whatever else has to be done behind the handler is done here
/// too, so that of the whole pipeline an idle connection keeps one method waiting.
/// </summary>
/// <param name="traffic">The endpoint's.</param>
/// <param name="services">The host's.</param>
/// <param name="hasStream">Whether its connections have a stream, which is to be closed.</param>
/// <param name="logging">The lines that each connection gets.</param>
/// <param name="leave">Called when a connection has ended.</param>
internal sealed partial class OutcomeMiddleware(
    EndpointTraffic traffic, PipelineServices services, bool hasStream, ConnectionLogging logging, Func<ValueTask> leave)
{
    public Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = new ConnectionState(connection, traffic, services.Time);
        traffic.Add(state);
        state.Owner?.EnterConnection();
        connection.Features.Set<IPerchConnectionFeature>(state);
        connection.Features.Set<IConnectionLifetimeNotificationFeature>(state);
        connection.Features.Set<IConnectionHeartbeatFeature>(state);
        connection.Features.Set<IConnectionCompleteFeature>(state);
        if (hasStream && connection.Features.Get<IConnectionTimerFeature>() is null)
            connection.Features.Set<IConnectionTimerFeature>(services.Timers);
        return PerchTracing.IsEnabled ? ServeTracedAsync(state, next) : ServeAsync(state, next);
    }

    /// <summary>Takes a connection out of the registry; also called for one whose handler never returned from an abort.</summary>
    public static void End(
        PipelineServices services, ConnectionState state, ConnectionOutcome outcome, ConnectionLogging logging = ConnectionLogging.Ended)
    {
        if (services.Registry.End(state, outcome) is not { } ended) return;
        if (state.Span is { } span) EndTraced(services, span, ended, logging);
        else LogEnd(services, ended, logging);
    }

    private static void LogEnd(PipelineServices services, EndedConnection ended, ConnectionLogging logging)
    {
        services.Metrics.ConnectionEnded(ended);
        var level = LevelOf(ended.Outcome);
        if (!services.Logger.IsEnabled(level) || (logging == ConnectionLogging.None && level < LogLevel.Warning)) return;
        if (ended.Reason is { } reason)
        {
            Log.Rejected(services.Logger, ended.Id, ended.Endpoint, ended.Protocol, ended.Peer, ended.Outcome, reason);
            return;
        }

        Log.Ended(services.Logger, level, ended.Id, ended.Endpoint, ended.Protocol, ended.Peer, ended.Outcome,
            ended.Duration.TotalSeconds, ended.BytesReceived, ended.BytesSent, ended.Messages);
    }

    /// <summary>
    /// Logs within the span, so that the line carries its trace id; also on a thread that did not serve the connection.
    /// </summary>
    private static void EndTraced(PipelineServices services, Activity span, EndedConnection ended, ConnectionLogging logging)
    {
        var ambient = Activity.Current;
        Activity.Current = span;
        try
        {
            LogEnd(services, ended, logging);
        }
        finally
        {
            PerchTracing.EndConnection(span, ended, isFault: LevelOf(ended.Outcome) >= LogLevel.Warning);
            Activity.Current = ambient == span ? null : ambient;
        }
    }

    /// <remarks>The span is <see cref="Activity.Current"/> of this method and of what it calls, and not of the accept loop.</remarks>
    private async Task ServeTracedAsync(ConnectionState state, ConnectionDelegate next)
    {
        PerchTracing.StartConnection(state, isStream: hasStream);
        await ServeAsync(state, next);
    }

    private async Task ServeAsync(ConnectionState state, ConnectionDelegate next)
    {
        PerchConnection.Enter(state);
        Exception? fault = null;
        try
        {
            await next(state.Connection);
        }
        catch (Exception exception)
        {
            fault = exception;
        }

        try
        {
            await EndAsync(state, fault);
        }
        catch (Exception exception)
        {
            // Such as of the handler's services, which the last connection of an old configuration disposes of.
            Log.EndThrew(services.Logger, exception, state.Traffic.Endpoint, state.Traffic.Protocol);
        }
        finally
        {
            state.Owner?.LeaveConnection();
        }
    }

    private async Task EndAsync(ConnectionState state, Exception? fault)
    {
        try
        {
            while (state.TakeCompletion() is { } completion) await CompleteAsync(state, completion);
            if (hasStream && state.IsAdmitted) fault = await CloseAsync(state.Connection, state, fault);
            // Nothing was sent that a reset could take from the peer. A connection over a cap keeps no descriptor for a linger time.
            else if (hasStream) state.Connection.Features.Get<IConnectionLingerFeature>()?.SkipLinger();
            AdmissionMiddleware.Release(services.Registry, state);
            Conclude(state, fault);
            // One that was admitted is closed by now, unless that failed.
            await state.Connection.DisposeAsync();
        }
        finally
        {
            if (hasStream) services.Descriptors.Leave();
            await leave();
        }
    }

    private async Task CompleteAsync(ConnectionState state, Func<Task> completion)
    {
        try
        {
            await completion();
        }
        catch (Exception exception)
        {
            Log.EndThrew(services.Logger, exception, state.Traffic.Endpoint, state.Traffic.Protocol);
        }
    }

    /// <returns>Why it did not end well; null where it did.</returns>
    private static async Task<Exception?> CloseAsync(ConnectionContext connection, ConnectionState state, Exception? fault)
    {
        if (fault is not null) ConnectionClose.Fault(connection, state, fault);
        try
        {
            await ConnectionClose.CloseAsync(connection, state);
            return fault;
        }
        catch (Exception exception)
        {
            return fault ?? exception;
        }
    }

    private static ConnectionOutcome OfReturn(ConnectionState state)
    {
        if (state.PeerGone) return ConnectionOutcome.PeerReset;
        if (state.PeerClosed) return ConnectionOutcome.PeerClosed;
        return state.IsDraining ? ConnectionOutcome.Drained : ConnectionOutcome.Completed;
    }

    private static ConnectionOutcome OfException(Exception exception, ConnectionState state) => exception switch
    {
        ProtocolException => ConnectionOutcome.ProtocolViolation,
        ConnectionResetException => ConnectionOutcome.PeerReset,
        OperationCanceledException when state.GoneBeforeFault || exception is ConnectionAbortedException
            => state.IsDraining ? ConnectionOutcome.DrainAborted : ConnectionOutcome.PeerReset,
        OperationCanceledException when state.IsDraining => ConnectionOutcome.Drained,
        _ => ConnectionOutcome.HandlerFault,
    };

    private void Conclude(ConnectionState state, Exception? fault)
    {
        // Handlers take a connection that failed for want of memory for one whose peer has left.
        var outcome = state.Memory?.HasRunOut == true ? ConnectionOutcome.MemoryPressure : fault is null ? OfReturn(state) : OfException(fault, state);
        if (state.TrySetOutcome(outcome) && fault is not null) Report(state, outcome, fault);
        End(services, state, state.Outcome ?? ConnectionOutcome.Completed, logging);
    }

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

        [LoggerMessage(EventId = 2007, Level = LogLevel.Warning, EventName = "ConnectionRejected", Message =
            "Connection {ConnectionId} was rejected: endpoint {Endpoint}, protocol {Protocol}, peer {Peer}, "
            + "outcome {Outcome}, reason {Reason}")]
        public static partial void Rejected(
            ILogger logger, string connectionId, string endpoint, string protocol, string peer, ConnectionOutcome outcome, string reason);

        [LoggerMessage(2001, LogLevel.Error, "The handler of endpoint {Endpoint} ({Protocol}) threw", EventName = "HandlerFaulted")]
        public static partial void Faulted(ILogger logger, Exception exception, string endpoint, string protocol);

        [LoggerMessage(2004, LogLevel.Error, "A completion callback of a connection on endpoint {Endpoint} ({Protocol}) threw", EventName = "EndThrew")]
        public static partial void EndThrew(ILogger logger, Exception exception, string endpoint, string protocol);

        [LoggerMessage(2002, LogLevel.Warning, "The peer broke the protocol of endpoint {Endpoint}: {Code}: {Reason}", EventName = "ProtocolViolated")]
        public static partial void Violated(ILogger logger, string endpoint, string code, string reason);
    }
}

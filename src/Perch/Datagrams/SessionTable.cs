using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Endpoints;

namespace Perch.Datagrams;

/// <summary>The sessions of one endpoint: starts them, and gives those at the endpoint's port what their peers send.</summary>
internal sealed partial class SessionTable(DatagramServer server, DatagramChannel channel, Endpoint owner, PipelineServices services)
{
    private readonly ConcurrentDictionary<PeerAddress, EndpointPort> _atEndpoint = new();
    private readonly LogGate _gate = new(services.Time);
    private int _count;
    private long _number;

    public bool AnyAtEndpoint => Volatile.Read(ref _count) > 0;

    /// <param name="with">Whom to talk with.</param>
    /// <param name="port">The port to talk from.</param>
    /// <param name="serve">The protocol's code.</param>
    /// <param name="rejected">Called instead where it is over a cap.</param>
    /// <param name="pipeline">Entered; the session leaves it at its end.</param>
    public bool TryStart(in ReturnAddress with, SessionPort port, Func<DatagramSession, Task> serve, Func<Task>? rejected, EndpointPipeline pipeline)
    {
        if (Open(with, port) is not { } opened) return false;
        var id = $"{server.Name}-s{Interlocked.Increment(ref _number):x}";
        var connection = new SessionConnection(id, owner, with.Peer, server.LocalEndPoint);
        var session = new DatagramSession(server, connection, opened, with);
        connection.Rejected = rejected;
        connection.Serve = () =>
        {
            connection.Rejected = null;
            session.Begin();
            return serve(session);
        };
        server.Hold();
        // Not on the receive thread, whatever the protocol does before its first wait.
        ThreadPool.UnsafeQueueUserWorkItem(
            static run => _ = run.Table.RunAsync(run.Connection, run.Channel, run.Pipeline),
            (Table: this, Connection: connection, Channel: opened, Pipeline: pipeline), preferLocal: false);
        return true;
    }

    /// <summary>On the receive thread.</summary>
    /// <returns>Whether the datagram was a session's.</returns>
    public bool TryDeliver(DatagramContext context)
    {
        if (!AnyAtEndpoint || !_atEndpoint.TryGetValue(context.Peer, out var session)) return false;
        if (context.IsTruncated)
        {
            server.Traffic.Drop(DropReason.Truncated);
            return true;
        }

        if (session.TryDeliver(context)) return true;
        if (session.HasEnded) return false;
        server.Traffic.Drop(DropReason.Queue);
        return true;
    }

    /// <summary>The session at the endpoint's port is over.</summary>
    public void Forget(PeerAddress peer, EndpointPort session)
    {
        // The peer may have a new one by now.
        if (!_atEndpoint.TryRemove(new(peer, session)))
            return;
        if (Interlocked.Decrement(ref _count) == 0 && server.IsStopping)
            server.StopReceiving();
    }

    /// <returns>Null where there is none to be had.</returns>
    private SessionChannel? Open(in ReturnAddress with, SessionPort port)
    {
        if (port == SessionPort.Endpoint)
        {
            var shared = new EndpointPort(this, channel, with.Peer);
            if (!_atEndpoint.TryAdd(with.Peer, shared)) return null;
            Interlocked.Increment(ref _count);
            if (!server.IsStopping) return shared;
            // The stop may not have seen it.
            shared.Dispose();
            return null;
        }

        if (!services.Descriptors.TryTakeSession())
        {
            if (_gate.TryPass(out var refused)) Log.NoPort(services.DatagramLogger, server.Name, "too few descriptors are left", refused);
            return null;
        }

        try
        {
            return new OwnPort(with, server.LocalEndPoint);
        }
        catch (SocketException exception)
        {
            services.Descriptors.ReturnSession();
            if (_gate.TryPass(out var held)) Log.NoPort(services.DatagramLogger, server.Name, exception.Message, held);
            return null;
        }
    }

    /// <remarks>The server's hold is what a drain waits for; nothing leaves the pipeline's own boundary of exceptions.</remarks>
    private async Task RunAsync(SessionConnection connection, SessionChannel opened, EndpointPipeline pipeline)
    {
        try
        {
            await pipeline.Datagrams!.Sessions(connection);
            if (connection.Rejected is { } rejected) await rejected();
        }
        finally
        {
            opened.Dispose();
            if (opened is OwnPort) services.Descriptors.ReturnSession();
            pipeline.Leave();
            server.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3010, LogLevel.Error, "Endpoint {Endpoint} has no port for a session: {Reason}; {Held} more since the last such line", EventName = "SessionPortMissing")]
        public static partial void NoPort(ILogger logger, string endpoint, string reason, long held);
    }
}

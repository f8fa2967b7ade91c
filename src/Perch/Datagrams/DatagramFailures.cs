using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Wire;

namespace Perch.Datagrams;

/// <summary>
/// What becomes of a datagram whose handler threw. A peer that broke the protocol is told where the protocol has an error
/// reply, but never in answer to such a reply; a fault is silent, and logged once a second at most.
/// </summary>
internal sealed partial class DatagramFailures(string endpoint, PipelineServices services)
{
    /// <summary>How many bytes of an error and of what it answers are compared.</summary>
    private const int ErrorMarkBytes = 4;

    private readonly LogGate _gate = new(services.Time);

    /// <returns>Whether there is an error reply to send.</returns>
    public bool TryWriteReply(DatagramContext context, Exception exception)
    {
        context.ReplyBuffer.Clear();
        var traffic = context.Pipeline.Traffic;
        if (exception is not ProtocolException error)
        {
            traffic.Drop(DropReason.Fault);
            Report(exception);
            return false;
        }

        traffic.Drop(DropReason.Malformed);
        if (services.DatagramLogger.IsEnabled(LogLevel.Debug)) Log.Refused(services.DatagramLogger, endpoint, context.Peer, error.Code, error.Message);
        try
        {
            context.Pipeline.Handler.WriteError(context, error);
        }
        catch (Exception fault)
        {
            context.ReplyBuffer.Clear();
            Report(fault);
        }

        if (!context.ReplyBuffer.IsWritten) return false;
        var reply = context.ReplyBuffer.Written;
        if (!context.Payload.Span.StartsWith(reply[..Math.Min(ErrorMarkBytes, reply.Length)])) return true;
        traffic.Drop(DropReason.Error);
        return false;
    }

    private void Report(Exception exception)
    {
        if (_gate.TryPass(out var held)) Log.Faulted(services.DatagramLogger, exception, endpoint, held);
    }

    private static partial class Log
    {
        [LoggerMessage(3001, LogLevel.Error, "A handler of endpoint {Endpoint} threw; {Held} more since the last such line", EventName = "DatagramFaulted")]
        public static partial void Faulted(ILogger logger, Exception exception, string endpoint, long held);

        [LoggerMessage(3003, LogLevel.Debug, "Endpoint {Endpoint} refused a datagram of {Peer}: {Code}: {Reason}", EventName = "DatagramRefused")]
        public static partial void Refused(ILogger logger, string endpoint, PeerAddress peer, string code, string reason);
    }
}

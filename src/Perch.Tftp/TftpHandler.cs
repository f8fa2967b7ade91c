using System.Buffers;
using System.Net;
using Microsoft.Extensions.Logging;
using Perch.Datagrams;
using Perch.Files;
using Perch.Wire;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>
/// TFTP (RFC 1350, 2347, 2348, 2349, 7440) over the file store. Here requests come in and are refused or granted; each that
/// is granted is a session of its own, on a port of its own or on this one.
/// </summary>
internal sealed partial class TftpHandler : DatagramHandler<TftpOptions>
{
    private readonly TftpMetrics _metrics;
    private readonly ILogger<TftpHandler> _logger;
    private readonly TftpDesk _desk;
    private readonly TftpService _service;
    private readonly LogGate _refusals;
    private readonly IPNetwork[] _singlePortNetworks;

    public TftpHandler(
        TftpOptions options, FileStoreService files, FileStoreOptions limits, TftpMetrics metrics, TimeProvider time, ILogger<TftpHandler> logger)
        : base(options)
    {
        (_metrics, _logger) = (metrics, logger);
        _desk = new(options, files, limits, time);
        _service = new(options, files, metrics, time, logger);
        _refusals = new(time);
        _singlePortNetworks = [.. options.SinglePortNetworks.Select(IPNetwork.Parse)];
        files.Need();
    }

    /// <inheritdoc/>
    /// <remarks>
    /// A client may send its request from any port (RFC 1350, section 4), and lwIP's sends from 69. A TFTP server at such a port
    /// answers the answer with an ERROR, which is never answered.
    /// </remarks>
    protected override bool AcceptsFromReflectorPort(ReadOnlySpan<byte> payload) =>
        TftpPacket.OpcodeOf(payload) is TftpOpcode.ReadRequest or TftpOpcode.WriteRequest;

    /// <inheritdoc/>
    protected override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload)
    {
        switch (TftpPacket.OpcodeOf(payload.Span))
        {
            case TftpOpcode.ReadRequest or TftpOpcode.WriteRequest:
                return _desk.IsRepeated(context.Peer, payload.Span) ? ValueTask.CompletedTask : BeginAsync(context, payload);
            case TftpOpcode.Data or TftpOpcode.Acknowledgment or TftpOpcode.OptionAcknowledgment:
                WriteError(context.Reply, TftpErrorCode.UnknownTransferId, TftpText.UnknownTransfer);
                return ValueTask.CompletedTask;
            case TftpOpcode.Error:
                // Never answered: its sender does not listen any more, or is a server that would answer that.
                return ValueTask.CompletedTask;
            default:
                context.Endpoint.CountMalformed(1);
                return ValueTask.CompletedTask;
        }
    }

    private async ValueTask BeginAsync(DatagramContext context, ReadOnlyMemory<byte> payload)
    {
        var endpoint = context.Endpoint;
        if (await TryOpenAsync(context.Peer, payload, endpoint, refusal => WriteError(context.Reply, refusal.Code, refusal.Message)) is not { } job) return;
        var isAtEndpoint = MayShareThePort(context.Peer);
        var isStarted = endpoint.TryStartSession(context.Return, isAtEndpoint ? SessionPort.Endpoint : SessionPort.Own,
            session => ServeAsync(session, job, endpoint, isAtEndpoint), () => job.DisposeAsync().AsTask());
        if (isStarted)
            return;
        await job.DisposeAsync();
        if (isAtEndpoint || endpoint.Draining.IsCancellationRequested)
            return;
        // No port or no descriptor is left for the transfer: without an answer the peer would repeat its request until it gives up.
        _metrics.Refused(endpoint.Name, job.Request.IsWrite, TftpOutcome.Busy);
        WriteError(context.Reply, TftpErrorCode.NotDefined, TftpText.Of(TftpOutcome.Busy));
    }

    /// <summary>One transfer, and those that the peer begins from the same port while it has it.</summary>
    private async Task ServeAsync(DatagramSession session, TftpJob first, IDatagramEndpoint endpoint, bool isAtEndpoint)
    {
        for (TftpJob? job = first; job is not null;)
        {
            var (next, outcome) = await _service.RunAsync(session, job, endpoint.Name, isAtEndpoint);
            while (next is null && !session.TryEnd()) next = await NextRequestAsync(session);
            if (next is null) TftpService.SetOutcome(session, outcome);
            job = next is null ? null : await TryOpenAsync(session.Peer, next, endpoint, refusal => TftpService.Tell(session, refusal.Code, refusal.Message));
        }
    }

    /// <returns>The datagram that waits, if it is a request of the session's peer; else null.</returns>
    private static async ValueTask<byte[]?> NextRequestAsync(DatagramSession session)
    {
        var packet = new byte[TftpRequest.MaxBytes + 1];
        var received = await session.ReceiveAsync(packet, session.Aborted);
        var isRequest = TftpPacket.OpcodeOf(packet.AsSpan(0, received.Length)) is TftpOpcode.ReadRequest or TftpOpcode.WriteRequest;
        return isRequest ? packet[..received.Length] : null;
    }

    /// <returns>Null where it is refused, which was told.</returns>
    private async ValueTask<TftpJob?> TryOpenAsync(PeerAddress peer, ReadOnlyMemory<byte> packet, IDatagramEndpoint endpoint, Action<TftpException> tell)
    {
        var isWrite = TftpPacket.OpcodeOf(packet.Span) == TftpOpcode.WriteRequest;
        TftpRequest? request = null;
        try
        {
            if (!TftpRequest.TryParse(packet.Span, out request, out var fault)) throw new TftpException(fault.Code, fault.Text, TftpOutcome.Illegal);
            return await _desk.OpenAsync(peer, packet, request, endpoint.Name);
        }
        catch (TftpException refusal)
        {
            _metrics.Refused(endpoint.Name, isWrite, refusal.Outcome);
            if (_refusals.TryPass(out var held))
                Log.Refused(_logger, endpoint.Name, isWrite ? "write" : "read", request is null ? "" : PeerText.Escape(request.Name.Span), peer, refusal.Outcome, refusal.Message, held);
            tell(refusal);
            return null;
        }
    }

    /// <summary>Whether a peer may be served from the endpoint's port, where an acknowledgement proves nothing: its number can be guessed.</summary>
    private bool MayShareThePort(PeerAddress peer)
    {
        if (!Options.SinglePort) return false;
        var address = peer.Address;
        return _singlePortNetworks.Any(network => network.Contains(address));
    }

    private static void WriteError(IBufferWriter<byte> reply, TftpErrorCode code, string text) =>
        reply.Advance(TftpPacket.WriteError(reply.GetSpan(TftpPacket.HeaderBytes + TftpPacket.MaxErrorTextBytes + 1), code, text));

    private static partial class Log
    {
        [LoggerMessage(4700, LogLevel.Information, "TFTP request refused: endpoint {Endpoint}, {Direction} of '{Name}' by {Peer}, {Outcome}: {Reason}; {Held} more since the last such line", EventName = "TftpRefused")]
        public static partial void Refused(ILogger logger, string endpoint, string direction, string name, PeerAddress peer, TftpOutcome outcome, string reason, long held);
    }
}

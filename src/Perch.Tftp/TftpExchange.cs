using System.Buffers;
using Microsoft.Extensions.Logging;
using Perch.Datagrams;
using Perch.Wire;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>What a wait for the peer has brought.</summary>
internal enum TftpHeard
{
    /// <summary>A packet of the peer: <see cref="TftpExchange.Packet"/>.</summary>
    Packet,

    /// <summary>Nothing in time.</summary>
    Timeout,

    /// <summary>The request once more: the first answer did not arrive.</summary>
    Repeated,
}

/// <summary>
/// One transfer's talk with its peer: hears it and nobody else, sends, waits, and knows how often something was sent again. A
/// stranger is told error 5 and the transfer goes on (RFC 1350, section 4).
/// </summary>
internal sealed partial class TftpExchange : IDisposable
{
    /// <summary>How often a peer that has never answered is sent something of the server's own accord: it may have been forged.</summary>
    private const int MostUnprovenRetries = 2;

    private const int StrangerErrorBytes = 64;

    private readonly DatagramSession _session;
    private readonly TftpTransfer _transfer;
    private readonly TftpOptions _options;
    private readonly TftpMetrics.Running _running;
    private readonly ILogger _logger;
    private readonly byte[] _buffer;
    private CancellationToken _wait;
    private int _length;
    private int _repeats;

    public TftpExchange(DatagramSession session, TftpTransfer transfer, TftpTerms terms, TftpOptions options, TftpMetrics.Running running, ILogger logger)
    {
        (_session, _transfer, Terms, _options, _running, _logger) = (session, transfer, terms, options, running, logger);
        // One byte more than may come: what fills it is too long.
        _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(TftpPacket.HeaderBytes + terms.BlockSize, TftpRequest.MaxBytes) + 1);
        // What came again while the file was opened is answered with the first answer.
        _ = transfer.Wait.Take();
    }

    public TftpTerms Terms { get; }

    /// <summary>The last packet that was heard, until the next wait.</summary>
    public ReadOnlySpan<byte> Packet => _buffer.AsSpan(0, _length);

    /// <summary>How often in a row something was sent again.</summary>
    public int Retries { get; private set; }

    /// <summary>Another request, which the peer has sent from the port of this transfer; that ends the transfer.</summary>
    public byte[]? Next { get; private set; }

    /// <summary>The transfer is over, and the exchange listens for packets that come again: any request is a new one.</summary>
    public bool IsOver { get; set; }

    /// <summary>The peer has answered; until then it may be forged, and gets no more than its budget.</summary>
    public bool IsProven => _session.IsPeerConfirmed;

    /// <summary>Begins to wait for an answer, longer each time in a row.</summary>
    public void StartWait() => _wait = _transfer.Wait.Arm(Terms.WaitAfter(Retries));

    /// <summary>Begins to wait for so long.</summary>
    public void StartWait(TimeSpan within) => _wait = _transfer.Wait.Arm(within);

    /// <summary>Goes on with the wait that was started.</summary>
    /// <exception cref="TftpException">The transfer is over: the peer says so, has begun another one, or the server ends it.</exception>
    public async ValueTask<TftpHeard> HearAsync()
    {
        while (true)
        {
            if (IsRepetition())
            {
                _transfer.IsAskedAgain = false;
                if (MayRepeat()) return TftpHeard.Repeated;
            }

            DatagramReceived received;
            try
            {
                received = await _session.ReceiveAsync(_buffer, _wait);
            }
            catch (OperationCanceledException) when (_wait.IsCancellationRequested)
            {
                var signal = _transfer.Wait.Take();
                if (signal == TftpSignal.End) throw Ended(_transfer.Wait.Ending!.Value);
                if (signal == TftpSignal.Timeout) return TftpHeard.Timeout;
                // The request is looked at above, after the packets that came before it.
                _wait = _transfer.Wait.Arm();
                continue;
            }

            _length = received.Length;
            if (received.From.Peer != _session.Peer)
            {
                Reject(received.From);
                continue;
            }

            switch (TftpPacket.OpcodeOf(Packet))
            {
                case TftpOpcode.Error:
                    throw PeerError();
                case TftpOpcode.ReadRequest or TftpOpcode.WriteRequest when IsOver || !_transfer.IsRepeatedBy(Packet):
                    Next = Packet.ToArray();
                    throw Ended(TftpOutcome.Replaced);
                case TftpOpcode.ReadRequest or TftpOpcode.WriteRequest:
                    if (MayRepeat()) return TftpHeard.Repeated;
                    break;
                default:
                    return TftpHeard.Packet;
            }
        }
    }

    /// <summary>The last block is on its way. A request that came again before it was a repetition.</summary>
    public void MarkEnding()
    {
        if (_transfer.IsEnding)
            return;
        _transfer.IsEnding = true;
        if (IsProven)
            _transfer.IsAskedAgain = false;
    }

    /// <summary>Nothing came in time: whatever was sent last may be sent again.</summary>
    /// <param name="given">The outcome where it has been tried often enough.</param>
    /// <exception cref="TftpException">Often enough.</exception>
    public void CountRetry(TftpOutcome given = TftpOutcome.Timeout)
    {
        if (!IsProven && Retries >= Math.Min(MostUnprovenRetries, _options.Retries)) throw Ended(TftpOutcome.NoPeer);
        if (Retries >= _options.Retries) throw new TftpException(TftpErrorCode.NotDefined, "the peer does not answer any more", given);
        Retries++;
        _transfer.IsStalled = true;
    }

    /// <summary>The peer has sent what only one can send who hears this transfer, and the transfer goes on.</summary>
    public void CountProgress()
    {
        Retries = 0;
        _transfer.IsStalled = false;
        Prove();
    }

    /// <summary>The peer has sent what only one can send who hears this transfer.</summary>
    public void Prove()
    {
        if (IsProven) return;
        _session.ConfirmPeer();
        _transfer.Prove();
    }

    /// <summary>Sends one packet; where the peer is not proven, within its budget. Whether it went is for the next wait to find out.</summary>
    public void Send(ReadOnlySpan<byte> packet) => _session.TrySend(packet);

    /// <summary>Sends the first answer. The request has earned it, be it over three times as long: RFC 1350 has no smaller one.</summary>
    public void SendFirst(ReadOnlySpan<byte> packet)
    {
        _session.AllowOnce(packet.Length);
        _session.TrySend(packet);
    }

    /// <inheritdoc cref="DatagramSession.Send"/>
    public int SendMany(ReadOnlySpan<byte> packets, int each) => _session.Send(packets, each);

    public void CountBytes(long bytes, int blocks)
    {
        _running.AddBytes(bytes);
        _session.CountMessages(blocks);
    }

    public void CountResent(long packets) => _running.AddResent(packets);

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    /// <summary>
    /// Whether the request came again and no packet before it ends the transfer: they lie in the socket's buffer, and the buffer is empty.
    /// While the last block is on its way its acknowledgement may still come, from a peer that is there.
    /// </summary>
    private bool IsRepetition() => _transfer.IsAskedAgain && !(_transfer.IsEnding && IsProven) && !_session.HasReceived;

    /// <summary>Each request is worth one answer, to a peer that has not answered yet, and so many times.</summary>
    private bool MayRepeat() => !IsProven && _repeats++ < _options.Retries;

    private void Reject(in ReturnAddress stranger)
    {
        _running.AddStranger();
        // An ERROR is never answered, nor what is no packet of a transfer.
        if (TftpPacket.OpcodeOf(Packet) is not (TftpOpcode.Data or TftpOpcode.Acknowledgment or TftpOpcode.OptionAcknowledgment)) return;
        Span<byte> error = stackalloc byte[StrangerErrorBytes];
        var length = TftpPacket.WriteError(error, TftpErrorCode.UnknownTransferId, TftpText.UnknownTransfer);
        _session.TrySend(stranger, error[..length]);
    }

    private TftpException PeerError()
    {
        TftpPacket.TryReadError(Packet, out var code, out var text);
        Log.PeerError(_logger, _session.Peer, code, PeerText.Escape(text, maxChars: 80));
        return Ended(TftpOutcome.PeerError);
    }

    private static TftpException Ended(TftpOutcome outcome) => new(TftpErrorCode.NotDefined, TftpText.Of(outcome), outcome);

    private static partial class Log
    {
        [LoggerMessage(4703, LogLevel.Information, "The TFTP peer {Peer} ended its transfer with error {Code}: {Text}", EventName = "TftpPeerError")]
        public static partial void PeerError(ILogger logger, PeerAddress peer, int code, string text);
    }
}

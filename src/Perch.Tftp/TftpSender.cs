using System.Buffers;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>
/// The side that sends a file: a window of blocks, then the wait for an acknowledgement (RFC 1350; RFC 7440, where a window of 1 is
/// RFC 1350's).
/// </summary>
/// <remarks>
/// An acknowledgement of a block within the window moves the window behind it, and what follows is sent, some of it again (RFC 7440,
/// section 4). One of the block before the window is a doubled one, and never makes anything be sent with a window of 1: that would
/// double every block to the end of the file (the Sorcerer's Apprentice, RFC 1123, section 4.2.3.1). With longer windows it may
/// also say that the window's first block was lost. It does where it has come no sooner than an answer to this window could: then
/// the window is sent again, once. All else is left to the timeout.
/// <para>
/// A port of the transfer's own is weak proof: an acknowledgement in the name of a victim that is sent to every port finds it. Each
/// acknowledgement has to be sent so again, because the port stays unknown, so what follows one of them is bounded: the window twice, then
/// its first block, and <see cref="MaxBytesPerAcknowledgment"/> in all. A peer that is there answers the first block too.
/// </para>
/// </remarks>
internal sealed class TftpSender(TftpExchange exchange, TftpBlocks blocks, TimeProvider time, Action onProgress)
{
    /// <summary>How long a full send buffer is waited for, and how often: what does not fit then is as if it were lost.</summary>
    /// <summary>
    /// Bytes on the wire that are sent before the next acknowledgement: the longest window twice, and some blocks more. An acknowledgement
    /// to each of the 28,232 ports that Linux chooses from costs its sender 903,424 bytes, so the bytes sent are 1.5 times as many.
    /// </summary>
    internal const int MaxBytesPerAcknowledgment = 1280 * 1024;

    private const int MaxWindowSends = 2;

    /// <summary>Bytes of the headers of IPv6 and UDP, the longer ones.</summary>
    private const int IPv6Headers = 48;

    private static readonly TimeSpan SendPause = TimeSpan.FromMilliseconds(1);
    private const int MostSendPauses = 100;

    private long _acknowledged;
    private long _sent;
    private long _sentAt;
    private long _unacknowledgedBytes;
    private int _windowSends;
    private bool _isResent;
    private bool _hasGoneBack;
    private TimeSpan _quickest = TimeSpan.MaxValue;

    /// <exception cref="TftpException">It did not come to its end.</exception>
    public async Task RunAsync()
    {
        if (exchange.Terms.HasOptions) await OfferAsync();
        while (blocks.Last is not { } last || _acknowledged < last)
        {
            await blocks.FillAsync(_acknowledged);
            exchange.StartWait();
            await SendWindowAsync();
            await AwaitProgressAsync();
        }
    }

    /// <summary>Says which options are accepted, until the peer acknowledges it as block 0.</summary>
    private async ValueTask OfferAsync()
    {
        var offer = ArrayPool<byte>.Shared.Rent(TftpPacket.MaxOptionAcknowledgmentBytes);
        var length = TftpPacket.WriteOptionAcknowledgment(offer, exchange.Terms.Accepted);
        try
        {
            exchange.StartWait();
            exchange.SendFirst(offer.AsSpan(0, length));
            while (true)
            {
                var heard = await exchange.HearAsync();
                if (heard == TftpHeard.Packet)
                {
                    if (!TftpPacket.TryReadAcknowledgment(exchange.Packet, out var block) || block != 0) continue;
                    exchange.CountProgress();
                    return;
                }

                if (heard == TftpHeard.Timeout) exchange.CountRetry();
                exchange.CountResent(1);
                exchange.StartWait();
                if (heard == TftpHeard.Repeated) exchange.SendFirst(offer.AsSpan(0, length));
                else exchange.Send(offer.AsSpan(0, length));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(offer);
        }
    }

    /// <summary>Sends everything behind the acknowledged block that is made.</summary>
    private async ValueTask SendWindowAsync()
    {
        var end = EndOfSend();
        if (_sent > _acknowledged) exchange.CountResent(end - _acknowledged);
        (_isResent, _sent, _sentAt) = (_sent > _acknowledged, blocks.Made, time.GetTimestamp());
        if (_sent == blocks.Last) exchange.MarkEnding();
        if (!exchange.IsProven)
        {
            // The first block of a request without options. Again only within the budget, or where the request comes again.
            if (_isResent) exchange.Send(blocks.Packets(1, 1));
            else exchange.SendFirst(blocks.Packets(1, 1));
            return;
        }

        var (next, pauses) = (_acknowledged + 1, 0);
        while (true)
        {
            while (next <= end && exchange.SendMany(blocks.Packets(next, end), blocks.PacketBytes) is var passed and > 0) next += passed;
            if (next > end || pauses++ == MostSendPauses) return;
            await Task.Delay(SendPause, time);
        }
    }

    /// <returns>The last block that may be sent now; the acknowledged one if none may.</returns>
    private long EndOfSend()
    {
        var end = _windowSends++ < MaxWindowSends ? blocks.Made : Math.Min(blocks.Made, _acknowledged + 1);
        var bytes = (end - _acknowledged) * (blocks.PacketBytes + IPv6Headers);
        if (_unacknowledgedBytes + bytes > MaxBytesPerAcknowledgment) return _acknowledged;
        _unacknowledgedBytes += bytes;
        return end;
    }

    /// <summary>Ends when the window has moved, or is to be sent again.</summary>
    private async ValueTask AwaitProgressAsync()
    {
        while (true)
        {
            switch (await exchange.HearAsync())
            {
                case TftpHeard.Timeout:
                    exchange.CountRetry(_sent == blocks.Last ? TftpOutcome.Unacknowledged : TftpOutcome.Timeout);
                    return;
                case TftpHeard.Repeated:
                    _sent = _acknowledged;
                    exchange.CountResent(1);
                    return;
                default:
                    if (!TftpPacket.TryReadAcknowledgment(exchange.Packet, out var block)) break;
                    var ahead = unchecked((ushort)(block - (ushort)_acknowledged));
                    if (ahead == 0 ? MayGoBack() : TryAdvance(ahead)) return;
                    break;
            }
        }
    }

    private bool TryAdvance(int ahead)
    {
        if (ahead > _sent - _acknowledged) return false;
        if (!_isResent && _acknowledged + ahead == _sent && time.GetElapsedTime(_sentAt) is var took && took < _quickest) _quickest = took;
        exchange.CountBytes(blocks.BytesTo(_acknowledged + ahead) - blocks.BytesTo(_acknowledged), ahead);
        _acknowledged += ahead;
        (_windowSends, _unacknowledgedBytes) = (0, 0);
        exchange.CountProgress();
        // What was sent behind an acknowledged gap is sent again right now; whoever says so once more is late.
        _hasGoneBack = _acknowledged < _sent;
        onProgress();
        return true;
    }

    private bool MayGoBack()
    {
        if (exchange.Terms.WindowSize == 1 || _hasGoneBack || time.GetElapsedTime(_sentAt) < _quickest) return false;
        return _hasGoneBack = true;
    }
}

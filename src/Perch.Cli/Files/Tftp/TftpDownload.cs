using Perch.Wire;
using Perch.Wire.Tftp;

namespace Perch.Cli.Files.Tftp;

/// <summary>
/// Fetches one file. Blocks are taken in order; the window's last is acknowledged, a gap once with the block before it (RFC 7440, section
/// 4), and the file's last one when all bytes are with whoever takes them.
/// </summary>
internal sealed class TftpDownload(TftpLink link, TftpRequest request, Func<RemoteStatus, Stream?> accept, TransferMeter meter, CancellationToken cancellationToken)
{
    private readonly byte[] _chunk = new byte[TransferMeter.LargestPiece];
    private TftpTerms _terms = TftpTerms.Plain;
    private Stream? _sink;
    private int _buffered;
    private long _received;
    private long _acknowledged;
    private long _bytes;
    private bool _hasToldGap;

    /// <exception cref="FileRefusal">The server has refused it, or ended it.</exception>
    /// <exception cref="ProtocolException">What came cannot be.</exception>
    public async Task RunAsync()
    {
        link.Ask(request);
        while (true)
        {
            if (!await link.HearAsync())
            {
                if (link.IsOpen) Acknowledge();
                else link.AskAgain();
            }
            else if (TftpPacket.TryReadOptionAcknowledgment(link.Packet, out var told))
            {
                if (!link.IsOpen) Open(told);
                // The answer to it may have been lost.
                if (_received == 0) Acknowledge();
            }
            else if (await TakeAsync())
            {
                return;
            }
        }
    }

    private void Open(TftpOptionSet? told)
    {
        link.Open();
        if (told is not null) _terms = TftpTerms.Agree(request.Options, told);
        _sink = accept(new(_terms.Length, null, null, 0)) ?? throw new InvalidOperationException("There is no hash that could be another.");
    }

    /// <returns>Whether that was the file's last block.</returns>
    private async ValueTask<bool> TakeAsync()
    {
        if (!TftpPacket.TryReadData(link.Packet, out var block, out var data)) return false;
        var ahead = unchecked((short)(block - (ushort)(_received + 1)));
        if (!link.IsOpen)
        {
            // A server that knows no options begins with the first block.
            if (ahead != 0) return false;
            Open(null);
        }

        if (ahead != 0)
        {
            TakeOutOfOrder(block, ahead);
            return false;
        }

        var length = data.Length;
        if (length > _terms.BlockSize) throw new ProtocolException("block-size", $"A block has more than the {_terms.BlockSize} bytes that were agreed on.");
        _hasToldGap = false;
        if (_buffered + length > _chunk.Length) await FlushAsync();
        link.Packet[TftpPacket.HeaderBytes..].CopyTo(_chunk.AsSpan(_buffered));
        (_buffered, _bytes) = (_buffered + length, _bytes + length);
        _received++;
        link.CountProgress();
        await meter.AdvanceAsync(length, cancellationToken);
        if (length < _terms.BlockSize)
        {
            if (_terms.Length is { } told && told != _bytes) throw new ProtocolException("length", $"The server said {told} bytes and sent {_bytes}.");
            await FlushAsync();
            Acknowledge();
            return true;
        }

        if (_received - _acknowledged >= _terms.WindowSize) Acknowledge();
        else link.StartWait();
        return false;
    }

    private void TakeOutOfOrder(ushort block, short ahead)
    {
        if (ahead < 0)
        {
            // It comes again where its acknowledgement was lost; those before it do not matter.
            if (_received > 0 && block == unchecked((ushort)_acknowledged)) SendAcknowledgment();
        }
        else if (ahead < _terms.WindowSize && !_hasToldGap)
        {
            _hasToldGap = true;
            Acknowledge();
        }
    }

    private async ValueTask FlushAsync()
    {
        if (_buffered > 0) await _sink!.WriteAsync(_chunk.AsMemory(0, _buffered), cancellationToken);
        _buffered = 0;
    }

    private void Acknowledge()
    {
        _acknowledged = _received;
        link.StartWait();
        SendAcknowledgment();
    }

    private void SendAcknowledgment()
    {
        Span<byte> packet = stackalloc byte[TftpPacket.HeaderBytes];
        TftpPacket.WriteAcknowledgment(packet, unchecked((ushort)_acknowledged));
        link.Send(packet);
    }
}

using System.Diagnostics;
using Perch.Wire.Tftp;

namespace Perch.Cli.Files.Tftp;

/// <summary>Sends one file: a window of blocks, then the wait for an acknowledgement (RFC 7440, where a window of 1 is RFC 1350's).</summary>
/// <remarks>
/// An acknowledgement within the window moves it, and what follows is sent, some of it again. One of the block before the window is a
/// doubled one: with a window of 1 nothing is sent for it, since that would double every block to the end of the file (the Sorcerer's
/// Apprentice, RFC 1123, section 4.2.3.1). A longer window is sent again for it, once, where it has come no sooner than an
/// answer to this window could. All else is left to the timeout.
/// </remarks>
internal sealed class TftpUpload(TftpLink link, TftpRequest request, Stream content, long length, TransferMeter meter, CancellationToken cancellationToken)
{
    private readonly byte[] _chunk = new byte[Math.Clamp(length, 1, TransferMeter.LargestPiece)];
    private TftpTerms _terms = TftpTerms.Plain;
    private byte[] _ring = [];
    private int _chunkAt;
    private int _chunkEnd;
    private long _last;
    private long _made;
    private long _sent;
    private long _acknowledged;
    private long _sentAt;
    private bool _isResent;
    private bool _hasGoneBack;
    private TimeSpan _quickest = TimeSpan.MaxValue;

    private int PacketBytes => TftpPacket.HeaderBytes + _terms.BlockSize;

    /// <exception cref="FileRefusal">The server has refused it, or ended it.</exception>
    /// <exception cref="CliException">The file became shorter; or the server does not answer.</exception>
    public async Task RunAsync()
    {
        link.Ask(request);
        while (!link.IsOpen)
        {
            if (!await link.HearAsync()) link.AskAgain();
            else Open();
        }

        // The last block is shorter than the others, perhaps empty.
        _last = (length / _terms.BlockSize) + 1;
        _ring = new byte[PacketBytes * Math.Min(_terms.WindowSize, _last)];
        while (_acknowledged < _last)
        {
            while (_made < _last && _made < _acknowledged + _terms.WindowSize) await MakeAsync();
            SendWindow();
            await AwaitProgressAsync();
        }
    }

    private void Open()
    {
        if (TftpPacket.TryReadOptionAcknowledgment(link.Packet, out var told))
        {
            link.Open();
            _terms = TftpTerms.Agree(request.Options, told);
        }
        else if (TftpPacket.TryReadAcknowledgment(link.Packet, out var block) && block == 0)
        {
            link.Open();
        }
    }

    private int BytesOf(long block) => block < _last ? _terms.BlockSize : (int)(length - ((_last - 1) * _terms.BlockSize));

    private Span<byte> PacketOf(long block) =>
        _ring.AsSpan((int)((block - 1) % Math.Min(_terms.WindowSize, _last)) * PacketBytes, TftpPacket.HeaderBytes + BytesOf(block));

    private async ValueTask MakeAsync()
    {
        var block = _made + 1;
        TftpPacket.WriteDataHeader(PacketOf(block), unchecked((ushort)block));
        var bytes = BytesOf(block);
        for (var filled = 0; filled < bytes;)
        {
            if (_chunkAt == _chunkEnd)
            {
                (_chunkAt, _chunkEnd) = (0, await content.ReadAsync(_chunk, cancellationToken));
                if (_chunkEnd == 0) throw new CliException(ExitCode.LocalFile, "The file became shorter while it was sent; send it again.");
            }

            var part = Math.Min(bytes - filled, _chunkEnd - _chunkAt);
            _chunk.AsSpan(_chunkAt, part).CopyTo(PacketOf(block)[(TftpPacket.HeaderBytes + filled)..]);
            (_chunkAt, filled) = (_chunkAt + part, filled + part);
        }

        await meter.AdvanceAsync(bytes, cancellationToken);
        _made = block;
    }

    /// <summary>Sends everything behind the acknowledged block that is made.</summary>
    private void SendWindow()
    {
        (_isResent, _sent, _sentAt) = (_sent > _acknowledged, _made, Stopwatch.GetTimestamp());
        link.StartWait();
        for (var block = _acknowledged + 1; block <= _sent; block++) link.Send(PacketOf(block));
    }

    /// <summary>Ends when the window has moved, or is to be sent again.</summary>
    private async ValueTask AwaitProgressAsync()
    {
        while (await link.HearAsync())
        {
            if (!TftpPacket.TryReadAcknowledgment(link.Packet, out var block)) continue;
            var ahead = unchecked((ushort)(block - (ushort)_acknowledged));
            if (ahead == 0 ? MayGoBack() : TryAdvance(ahead)) return;
        }
    }

    private bool TryAdvance(int ahead)
    {
        if (ahead > _sent - _acknowledged) return false;
        if (!_isResent && _acknowledged + ahead == _sent && Stopwatch.GetElapsedTime(_sentAt) is var took && took < _quickest) _quickest = took;
        _acknowledged += ahead;
        link.CountProgress();
        // What was sent behind an acknowledged gap is sent again right now; whoever says so once more is late.
        _hasGoneBack = _acknowledged < _sent;
        return true;
    }

    private bool MayGoBack()
    {
        if (_terms.WindowSize == 1 || _hasGoneBack || Stopwatch.GetElapsedTime(_sentAt) < _quickest) return false;
        return _hasGoneBack = true;
    }
}

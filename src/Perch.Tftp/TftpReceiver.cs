using System.Buffers;
using Perch.Diagnostics;
using Perch.Files;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>
/// The side that receives a file. Blocks are taken in order; the window's last one is acknowledged, a gap at once with the
/// block before it (RFC 7440, section 4), and the file's last one only when the file is durable and visible.
/// </summary>
internal sealed class TftpReceiver(TftpExchange exchange, TftpJob job, TftpRequest request, Action onProgress) : IDisposable
{
    private const int ChunkBytes = 128 * 1024;

    /// <summary>How long a doubled last block is still acknowledged, in timeouts: longer than the clients' own, which have 5 seconds often.</summary>
    private const int DallyTimeouts = 6;

    private readonly byte[] _chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
    private readonly byte[] _answer = new byte[TftpPacket.MaxOptionAcknowledgmentBytes];
    private readonly NetasciiDecoder? _netascii = request.Mode == TftpMode.Netascii ? new() : null;
    private int _answerBytes;
    private int _buffered;
    private long _received;
    private long _acknowledged;
    private long _wireBytes;
    private bool _hasToldGap;

    /// <exception cref="TftpException">It did not come to its end.</exception>
    /// <exception cref="FileStoreException">The store has refused it.</exception>
    public async Task RunAsync()
    {
        Open();
        exchange.StartWait();
        exchange.SendFirst(Answer);
        while (true)
        {
            switch (await exchange.HearAsync())
            {
                case TftpHeard.Timeout:
                    exchange.CountRetry();
                    exchange.CountResent(1);
                    exchange.StartWait();
                    exchange.Send(Answer);
                    break;
                case TftpHeard.Repeated:
                    exchange.StartWait();
                    SendAgain();
                    break;
                default:
                    if (await TakeAsync()) return;
                    break;
            }
        }
    }

    /// <summary>Acknowledges the last block once more where it comes once more, for a while: the acknowledgement may have been lost.</summary>
    public async Task DallyAsync()
    {
        exchange.StartWait(exchange.Terms.Timeout * DallyTimeouts);
        while (await exchange.HearAsync() == TftpHeard.Packet)
        {
            if (TftpPacket.TryReadData(exchange.Packet, out var block, out _) && block == unchecked((ushort)_received)) SendAgain();
        }
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_chunk);

    private ReadOnlySpan<byte> Answer => _answer.AsSpan(0, _answerBytes);

    private void Open()
    {
        if (exchange.Terms.HasOptions) _answerBytes = TftpPacket.WriteOptionAcknowledgment(_answer, exchange.Terms.Accepted);
        else WriteAcknowledgment();
    }

    /// <returns>Whether the file is stored.</returns>
    private async ValueTask<bool> TakeAsync()
    {
        if (!TftpPacket.TryReadData(exchange.Packet, out var block, out var data)) return false;
        var length = data.Length;
        var ahead = unchecked((short)(block - (ushort)(_received + 1)));
        if (ahead != 0)
        {
            TakeOutOfOrder(block, ahead);
            return false;
        }

        if (length > exchange.Terms.BlockSize) throw TftpException.Illegal("a block is longer than was agreed on");
        exchange.CountProgress();
        _hasToldGap = false;
        if (_received == 0) await job.ReserveAsync();
        // The decoder may bring one byte more, from the block before.
        if (_buffered + length + 1 > _chunk.Length) await FlushAsync();
        Store(exchange.Packet[TftpPacket.HeaderBytes..]);
        _received++;
        _wireBytes += length;
        exchange.CountBytes(length, 1);
        if (length < exchange.Terms.BlockSize)
        {
            exchange.MarkEnding();
            await CompleteAsync();
            Acknowledge();
            return true;
        }

        // The next one has the whole time.
        exchange.StartWait();
        if (_received - _acknowledged < exchange.Terms.WindowSize) return false;
        Acknowledge();
        onProgress();
        return false;
    }

    /// <param name="block">Its number.</param>
    /// <param name="ahead">How far it is from the one that is waited for.</param>
    private void TakeOutOfOrder(ushort block, short ahead)
    {
        if (_received == 0 && ahead < 0) return;
        exchange.Prove();
        if (ahead < 0)
        {
            // The block that was acknowledged last comes again where the acknowledgement was lost; those before it do not matter.
            if (block == unchecked((ushort)_acknowledged)) SendAgain();
            return;
        }

        if (_hasToldGap) return;
        _hasToldGap = true;
        // Where it is the first block that is missing: whoever sends the second has the answer to the request already.
        Acknowledge();
    }

    private void Store(ReadOnlySpan<byte> data)
    {
        var room = _chunk.AsSpan(_buffered);
        if (_netascii is not null)
        {
            _buffered += _netascii.Decode(data, room);
            return;
        }

        data.CopyTo(room);
        _buffered += data.Length;
    }

    private async ValueTask FlushAsync()
    {
        if (_buffered > 0) await job.Upload!.AppendAsync(new(_chunk.AsMemory(0, _buffered)));
        _buffered = 0;
    }

    private async ValueTask CompleteAsync()
    {
        if (request.Options.TransferSize is { } announced and > 0 && request.Mode == TftpMode.Octet && announced != _wireBytes)
            throw TftpException.Illegal("the file has another length than was announced");
        if (_netascii is not null)
        {
            await FlushAsync();
            _buffered = _netascii.Finish(_chunk);
        }

        await FlushAsync();
        var stored = await job.Upload!.CompleteAsync();
        PerchTracing.MarkStored("perch.file.bytes", stored.Length);
    }

    private void Acknowledge()
    {
        _acknowledged = _received;
        WriteAcknowledgment();
        exchange.Send(Answer);
    }

    private void WriteAcknowledgment()
    {
        _answerBytes = TftpPacket.HeaderBytes;
        TftpPacket.WriteAcknowledgment(_answer, unchecked((ushort)_received));
    }

    private void SendAgain()
    {
        exchange.CountResent(1);
        exchange.SendFirst(Answer);
    }
}

using System.Buffers;
using Perch.Files;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>
/// The DATA packets of a file that is read, made one after the other and kept until they are acknowledged: a ring of one
/// window. Blocks are numbered from 1 and past 65535; the packet has the number's low 16 bits.
/// </summary>
internal sealed class TftpBlocks : IAsyncDisposable
{
    /// <summary>What is read at once. Twice that: while one is sent the next is read.</summary>
    private const int ChunkBytes = 64 * 1024;
    private const int WindowChunkBytes = 128 * 1024;

    private readonly IFileSnapshot _file;
    private readonly NetasciiEncoder? _netascii;
    private readonly int _blockSize;
    private readonly int _windowSize;
    private readonly byte[] _ring;
    private readonly long _length;
    private byte[] _chunk;
    private byte[] _nextChunk;
    private Task<int>? _reading;
    private long _offset;
    private int _chunkAt;
    private int _chunkEnd;
    private int _filled;
    private int _lastBytes;

    public TftpBlocks(IFileSnapshot file, TftpMode mode, int blockSize, int windowSize)
    {
        (_file, _blockSize, _windowSize) = (file, blockSize, windowSize);
        _netascii = mode == TftpMode.Netascii ? new() : null;
        PacketBytes = TftpPacket.HeaderBytes + blockSize;
        _ring = ArrayPool<byte>.Shared.Rent(PacketBytes * windowSize);
        _length = file.File.Length;
        var chunk = (int)Math.Clamp(_length, 1, windowSize > 1 ? WindowChunkBytes : ChunkBytes);
        _chunk = ArrayPool<byte>.Shared.Rent(chunk);
        _nextChunk = _length > chunk ? ArrayPool<byte>.Shared.Rent(chunk) : [];
    }

    /// <summary>Bytes of every packet but the last.</summary>
    public int PacketBytes { get; }

    /// <summary>The newest block that is made.</summary>
    public long Made { get; private set; }

    /// <summary>The number of the last block; null until it is made.</summary>
    public long? Last { get; private set; }

    /// <summary>Makes blocks until a window behind this one is full or the file is over; those to it are needed no more.</summary>
    /// <exception cref="FileStoreException">The file cannot be read.</exception>
    public async ValueTask FillAsync(long acknowledged)
    {
        while (Last is null && Made < acknowledged + _windowSize)
        {
            if (_chunkAt == _chunkEnd && _offset < _length) await ReadAsync();
            Add();
        }
    }

    /// <summary>Bytes of the file on the wire that are in the blocks to this one.</summary>
    public long BytesTo(long block) => block == Last ? ((block - 1) * _blockSize) + _lastBytes : block * _blockSize;

    /// <summary>Packets that lie one behind the other, from this one on.</summary>
    /// <param name="from">A block that is not acknowledged.</param>
    /// <param name="to">The last that is wanted.</param>
    public ReadOnlySpan<byte> Packets(long from, long to)
    {
        var place = (int)((from - 1) % _windowSize);
        var count = (int)Math.Min(to - from + 1, _windowSize - place);
        var bytes = count * PacketBytes;
        if (from + count - 1 == Last) bytes -= _blockSize - _lastBytes;
        return _ring.AsSpan(place * PacketBytes, bytes);
    }

    public async ValueTask DisposeAsync()
    {
        // The file is read into one of the buffers until the read is over.
        try
        {
            if (_reading is not null) await _reading;
        }
        catch (FileStoreException)
        {
            // Nobody needs it any more.
        }

        ArrayPool<byte>.Shared.Return(_ring);
        ArrayPool<byte>.Shared.Return(_chunk);
        if (_nextChunk.Length > 0) ArrayPool<byte>.Shared.Return(_nextChunk);
    }

    private async ValueTask ReadAsync()
    {
        if (_reading is not null)
        {
            _chunkEnd = await _reading;
            (_chunk, _nextChunk) = (_nextChunk, _chunk);
        }
        else
        {
            _chunkEnd = await _file.ReadAsync(_offset, _chunk, CancellationToken.None);
        }

        _chunkAt = 0;
        _offset += _chunkEnd;
        _reading = _offset < _length ? _file.ReadAsync(_offset, _nextChunk, CancellationToken.None).AsTask() : null;
    }

    /// <summary>Puts what the chunk has into the block that is being made.</summary>
    private void Add()
    {
        var packet = _ring.AsSpan((int)(Made % _windowSize) * PacketBytes, PacketBytes);
        var data = packet[(TftpPacket.HeaderBytes + _filled)..];
        var source = _chunk.AsSpan(_chunkAt, _chunkEnd - _chunkAt);
        int consumed, written;
        if (_netascii is null)
        {
            consumed = written = Math.Min(source.Length, data.Length);
            source[..written].CopyTo(data);
        }
        else
        {
            _netascii.Encode(source, data, out consumed, out written);
        }

        _chunkAt += consumed;
        _filled += written;
        if (_filled == _blockSize)
        {
            Finish(packet);
        }
        else if (_chunkAt == _chunkEnd && _offset == _length)
        {
            (Last, _lastBytes) = (Made + 1, _filled);
            Finish(packet);
        }
    }

    private void Finish(Span<byte> packet)
    {
        Made++;
        _filled = 0;
        TftpPacket.WriteDataHeader(packet, unchecked((ushort)Made));
    }
}

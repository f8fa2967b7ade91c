namespace Perch.Protocols.Files;

/// <summary>A snapshot as a stream, for HTTP. It owns the snapshot.</summary>
internal sealed class SnapshotStream(IFileSnapshot snapshot, FileMetrics.FileTransfer transfer) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => snapshot.File.Length;

    public override long Position { get; set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= Length) return 0;
        var read = await snapshot.ReadAsync(Position, buffer[..(int)Math.Min(buffer.Length, Length - Position)], cancellationToken);
        Position += read;
        transfer.Add(read);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => Length + offset,
    };

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A snapshot is read asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A snapshot is not written.");

    public override void SetLength(long value) => throw new NotSupportedException("A snapshot is not written.");

    public override void Flush()
    {
        // Nothing is written.
    }

    public override async ValueTask DisposeAsync()
    {
        await snapshot.DisposeAsync();
        await base.DisposeAsync();
    }
}

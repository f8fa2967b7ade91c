using Microsoft.Win32.SafeHandles;
using Perch.Linux;

namespace Perch.Files.S3;

/// <summary>
/// Where the bytes of one upload wait for S3: a file without a name, so that nothing stays of it after the process. It has a slot for
/// each part on its way and one for the part that fills; slots are used again, so what the disk writes is little.
/// </summary>
internal sealed class S3Spool : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly int _slots;

    private S3Spool(SafeFileHandle file, int slotBytes, int slots) => (_file, SlotBytes, _slots) = (file, slotBytes, slots);

    /// <summary>Bytes of a slot: of a part.</summary>
    public int SlotBytes { get; }

    /// <exception cref="FileStoreException"><c>unavailable</c>, <c>full</c>: it cannot be made.</exception>
    public static S3Spool Create(string folder, int slotBytes, int slots)
    {
        var path = Path.Combine(folder, $"perch-{Guid.NewGuid():N}");
        try
        {
            var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            File.Delete(path);
            return new(file, slotBytes, slots);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failure(folder, exception);
        }
    }

    public static FileStoreException Failure(string folder, Exception exception) => exception is IOException { HResult: Posix.ENOSPC or Posix.EDQUOT }
        ? FileStoreException.Full($"{folder}: {exception.Message}", exception)
        : FileStoreException.Unavailable($"{folder} cannot be written: {exception.Message} Correct Perch:Files:Spool or its rights", exception);

    public void Write(int part, int at, ReadOnlySpan<byte> bytes) => RandomAccess.Write(_file, bytes, Offset(part) + at);

    /// <summary>The first bytes of a part's slot, behind others that are in memory.</summary>
    public Stream Read(int part, int count, byte[]? head = null) => new SlotStream(_file, Offset(part), count, head ?? []);

    public void Dispose() => _file.Dispose();

    private long Offset(int part) => (long)(part % _slots) * SlotBytes;

    /// <summary>Seekable: the SDK reads it again where it tries again.</summary>
    private sealed class SlotStream(SafeFileHandle file, long offset, int count, byte[] head) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => head.Length + count;

        public override long Position { get; set; }

        public override int Read(Span<byte> buffer)
        {
            var read = 0;
            if (Position < head.Length)
            {
                read = Math.Min(buffer.Length, head.Length - (int)Position);
                head.AsSpan((int)Position, read).CopyTo(buffer);
            }
            else if (Length - Position is var left and > 0)
            {
                read = RandomAccess.Read(file, buffer[..(int)Math.Min(buffer.Length, left)], offset + Position - head.Length);
            }

            Position += read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position < head.Length || Position >= Length) return Read(buffer.Span);
            var read = await RandomAccess.ReadAsync(file, buffer[..(int)Math.Min(buffer.Length, Length - Position)], offset + Position - head.Length, cancellationToken);
            Position += read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => Position + offset,
            _ => Length + offset,
        };

        public override void Flush()
        {
            // Nothing is written.
        }

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A slot is read only.");

        public override void SetLength(long value) => throw new NotSupportedException("A slot is read only.");
    }
}

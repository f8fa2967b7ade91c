using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;

namespace Perch.Files.Disk;

/// <summary>An open file of the disk: a rename over its name, or a delete, leaves it as it is.</summary>
internal sealed class DiskSnapshot(DiskThreads threads, SafeFileHandle handle, StoredFile file) : IFileSnapshot
{
    private readonly ReadJob _read = new(handle);

    public StoredFile File { get; } = file;

    /// <remarks>The first and the last byte stand for those between them, which the system reads ahead.</remarks>
    public SafeFileHandle? FindInMemory(long offset, long length)
    {
        Span<byte> one = stackalloc byte[1];
        return Posix.ReadNow(handle, one, offset) > 0 && Posix.ReadNow(handle, one, offset + length - 1) > 0 ? handle : null;
    }

    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // What is in memory needs no thread that waits for the disk.
        return Posix.ReadNow(handle, buffer.Span, offset) is var read && read > 0 ? new(read) : WaitAsync(offset, buffer);
    }

    public void Close() => handle.Dispose();

    public ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> WaitAsync(long offset, Memory<byte> buffer)
    {
        _read.Set(offset, buffer);
        var read = await _read.StartAsync(threads);
        return read > 0 || buffer.IsEmpty ? read : throw FileStoreException.Unavailable($"{File.Name} is shorter than it was");
    }

    private sealed class ReadJob(SafeFileHandle handle) : DiskJob
    {
        private long _offset;
        private Memory<byte> _buffer;

        public void Set(long offset, Memory<byte> buffer) => (_offset, _buffer) = (offset, buffer);

        protected override int Execute()
        {
            try
            {
                return RandomAccess.Read(handle, _buffer.Span, _offset);
            }
            finally
            {
                _buffer = default;
            }
        }
    }
}

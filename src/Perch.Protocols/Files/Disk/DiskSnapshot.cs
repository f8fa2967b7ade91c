using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace Perch.Protocols.Files.Disk;

/// <summary>An open file of the disk: a rename over its name, or a delete, leaves it as it is.</summary>
internal sealed class DiskSnapshot(DiskThreads threads, SafeFileHandle handle, StoredFile file) : IFileSnapshot
{
    private readonly ReadJob _read = new(handle);

    public StoredFile File { get; } = file;

    public SafeFileHandle? Handle { get; } = handle;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _read.Set(offset, buffer);
        var read = await _read.StartAsync(threads);
        return read > 0 || buffer.IsEmpty ? read : throw FileStoreException.Unavailable($"{File.Name} is shorter than it was");
    }

    public ValueTask DisposeAsync()
    {
        Handle!.Dispose();
        return ValueTask.CompletedTask;
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

using System.Buffers;
using System.Security.Cryptography;

namespace Perch.Protocols.Files.Disk;

/// <summary>Hashes bytes on a thread of the pool while the caller writes them: both take about as long.</summary>
internal sealed class HashBeside : IThreadPoolWorkItem, IDisposable
{
    /// <summary>Less is hashed sooner than another thread is woken.</summary>
    private const int WorthAThread = 32 * 1024;

    private readonly ManualResetEventSlim _done = new();
    private IncrementalHash? _hash;
    private ReadOnlySequence<byte> _bytes;

    /// <summary>Hashes the bytes and has them written; both are done when it returns, or throws what the writing threw.</summary>
    public void Run(IncrementalHash hash, in ReadOnlySequence<byte> bytes, Action<ReadOnlySequence<byte>> write)
    {
        (_hash, _bytes) = (hash, bytes);
        if (bytes.Length < WorthAThread)
        {
            write(bytes);
            Hash();
            return;
        }

        _done.Reset();
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        try
        {
            write(bytes);
        }
        finally
        {
            _done.Wait();
        }
    }

    public void Execute()
    {
        try
        {
            Hash();
        }
        finally
        {
            _done.Set();
        }
    }

    public void Dispose() => _done.Dispose();

    private void Hash()
    {
        foreach (var segment in _bytes) _hash!.AppendData(segment.Span);
        _bytes = default;
    }
}

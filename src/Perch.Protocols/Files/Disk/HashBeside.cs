using System.Buffers;
using System.Security.Cryptography;

namespace Perch.Protocols.Files.Disk;

/// <summary>Hashes bytes on a thread of the pool while the caller writes them, where there is a processor for it: both take about as long.</summary>
internal sealed class HashBeside : IThreadPoolWorkItem, IDisposable
{
    /// <summary>Less is hashed sooner than another thread is woken.</summary>
    private const int WorthAThread = 32 * 1024;

    /// <summary>With two, one receives and the other stores: a third thread would only take turns with them.</summary>
    private static readonly bool HasProcessors = Environment.ProcessorCount > 2;

    // It takes longer than it is worth to spin for.
    private readonly ManualResetEventSlim _done = new(initialState: false, spinCount: 0);
    private IncrementalHash? _hash;
    private ReadOnlySequence<byte> _bytes;
    private Exception? _fault;

    /// <summary>Hashes the bytes and has them written; both are done when it returns, or throws what either threw.</summary>
    public void Run(IncrementalHash hash, in ReadOnlySequence<byte> bytes, Action<ReadOnlySequence<byte>> write)
    {
        (_hash, _bytes, _fault) = (hash, bytes, null);
        if (bytes.Length < WorthAThread || !HasProcessors)
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

        if (_fault is not null) throw new InvalidOperationException("The bytes could not be hashed.", _fault);
    }

    public void Execute()
    {
        try
        {
            Hash();
        }
        catch (Exception exception)
        {
            // On a thread of the pool nobody would catch it, and the process would end.
            _fault = exception;
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

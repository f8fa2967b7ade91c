using System.Collections.Concurrent;

namespace Perch.Transport.Buffers;

/// <summary>Blocks that no loop holds; 64 MiB are kept, and 32 MiB of large ones; what is past it goes to the garbage collector.</summary>
internal sealed class SharedBlocks
{
    public const int MaxKept = 1024;
    public const int MaxLargeKept = 16;

    private readonly ConcurrentQueue<Block> _kept = new();
    private readonly Stack<Block> _large = new();
    private int _count;

    public Block Rent()
    {
        if (!_kept.TryDequeue(out var block)) return new();
        Interlocked.Decrement(ref _count);
        return block;
    }

    public void Return(Block block)
    {
        if (Interlocked.Increment(ref _count) <= MaxKept) _kept.Enqueue(block);
        else Interlocked.Decrement(ref _count);
    }

    /// <summary>The last one that came back, which is still in the processor's cache.</summary>
    public Block RentLarge()
    {
        lock (_large)
        {
            if (_large.TryPop(out var block)) return block;
        }

        return Block.NewLarge();
    }

    public void ReturnLarge(Block block)
    {
        lock (_large)
        {
            if (_large.Count < MaxLargeKept) _large.Push(block);
        }
    }
}

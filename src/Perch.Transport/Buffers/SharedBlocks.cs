using System.Collections.Concurrent;

namespace Perch.Transport.Buffers;

/// <summary>Blocks that no loop holds; 64 MiB are kept, what is past it goes to the garbage collector.</summary>
internal sealed class SharedBlocks
{
    public const int MaxKept = 1024;

    private readonly ConcurrentQueue<Block> _kept = new();
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
}

using System.Collections.Concurrent;

namespace Perch.Transport.Buffers;

/// <summary>A bounded queue of free blocks, for any thread.</summary>
internal sealed class FreeBlocks
{
    private readonly ConcurrentQueue<Block> _blocks = new();
    private int _count;
    private int _unused;

    public int Count => Volatile.Read(ref _count);

    /// <returns>Null if no block is free.</returns>
    public Block? TryTake()
    {
        if (!_blocks.TryDequeue(out var block))
            return null;
        // A race here makes a trim a few blocks larger.
        if (Interlocked.Decrement(ref _count) is var left && left < Volatile.Read(ref _unused))
            Volatile.Write(ref _unused, left);
        return block;
    }

    /// <summary>Keeps a block, or leaves it to the garbage collector if enough are free.</summary>
    /// <param name="block">The block.</param>
    /// <param name="most">Most free blocks.</param>
    public void Add(Block block, long most)
    {
        if (Interlocked.Increment(ref _count) <= most)
        {
            try
            {
                _blocks.Enqueue(block);
                return;
            }
            catch (OutOfMemoryException)
            {
                // The queue could not grow: the block is what there is to give back.
            }
        }

        Interlocked.Decrement(ref _count);
    }

    /// <summary>Leaves blocks to the garbage collector that are more than so many.</summary>
    public void Shrink(long most)
    {
        while (Count > most && TryTake() is not null)
        {
        }
    }

    /// <summary>Leaves the blocks that were not needed since the last call to the garbage collector.</summary>
    public void Trim()
    {
        for (var surplus = Volatile.Read(ref _unused); surplus > 0 && TryTake() is not null; surplus--)
        {
        }

        Volatile.Write(ref _unused, Count);
    }
}

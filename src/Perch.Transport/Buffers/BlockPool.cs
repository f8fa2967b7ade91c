namespace Perch.Transport.Buffers;

/// <summary>
/// A loop's blocks. On the loop's own thread the last one that came back is the next one out, still in the processor's
/// cache, without a lock; on others it is the shared ones'.
/// </summary>
internal sealed class BlockPool(SharedBlocks shared)
{
    private const int MaxKept = 32;

    /// <summary>Bytes above the limit for readers that hold next to nothing: a well-behaved peer is served while others fill the memory.</summary>
    private const long Reserve = 16 * 1024 * 1024;

    private BlockStack _kept = new(MaxKept);
    private BlockStack _small = new(MaxKept);
    private int _thread;
    private long _rented;

    /// <summary>Bytes that the loop's thread has rented, less those that it has returned: negative if others rented them.</summary>
    public long Rented => Volatile.Read(ref _rented);

    /// <summary>Bytes of the free blocks that the loop keeps. Exact on the loop's thread.</summary>
    public long FreeBytes => ((long)_kept.Count * Block.Size) + ((long)_small.Count * Block.SmallSize);

    private bool IsOnThread => Environment.CurrentManagedThreadId == _thread;

    /// <summary>Whether a reader must wait (<see cref="Wait"/>) before it rents a block.</summary>
    /// <param name="isGrowing">Whether it holds a block already.</param>
    public bool IsShort(bool isGrowing) => isGrowing ? shared.IsShort(0) : _kept.Count == 0 && shared.IsShort(Reserve);

    /// <inheritdoc cref="SharedBlocks.Wait"/>
    public void Wait(IBlockWaiter waiter) => shared.Wait(waiter);

    public void OwnByThisThread() => _thread = Environment.CurrentManagedThreadId;

    /// <returns>Null if the memory cannot be allocated.</returns>
    public Block? TryRent()
    {
        var isOnThread = IsOnThread;
        var block = (isOnThread ? _kept.TryPop() : null) ?? shared.TryRent();
        if (block is not null)
            Count(Block.Size, isOnThread);
        return block;
    }

    /// <summary>A block of at least so many bytes.</summary>
    /// <exception cref="OutOfMemoryException">The memory cannot be allocated.</exception>
    public Block Rent(int size)
    {
        if (size <= Block.Size && TryRent() is { } pooled)
            return pooled;
        var block = shared.Allocate(Math.Max(size, Block.Size));
        Count(block.Occupied, IsOnThread);
        return block;
    }

    /// <summary>A block of <see cref="Block.SmallSize"/>.</summary>
    /// <inheritdoc cref="TryRent"/>
    public Block? TryRentSmall()
    {
        var isOnThread = IsOnThread;
        var block = (isOnThread ? _small.TryPop() : null) ?? shared.TryRentSmall();
        if (block is not null)
            Count(Block.SmallSize, isOnThread);
        return block;
    }

    /// <inheritdoc cref="TryRent"/>
    public Block? TryRentLarge()
    {
        var block = shared.TryRentLarge();
        if (block is not null)
            Count(block.Occupied, IsOnThread);
        return block;
    }

    /// <remarks>Called once for each that was rented: who returns it must not hold it any more.</remarks>
    public void Return(Block block)
    {
        var isOnThread = IsOnThread;
        Count(-block.Occupied, isOnThread);
        if (block.IsPooled)
        {
            block.Reset();
            if (!isOnThread || !_kept.TryPush(block))
                shared.Return(block);
        }
        else if (block.IsSmall)
        {
            block.Reset();
            if (!isOnThread || !_small.TryPush(block))
                shared.ReturnSmall(block);
        }
        else if (block.IsLarge)
        {
            block.Reset();
            shared.ReturnLarge(block);
        }
    }

    /// <summary>Leaves the free blocks that the loop has not needed since the last call to the garbage collector. On the loop's thread.</summary>
    public void Trim()
    {
        _kept.Trim();
        _small.Trim();
    }

    /// <summary>Returns a whole list.</summary>
    public void ReturnAll(Block? first)
    {
        while (first is not null)
        {
            var next = first.Following;
            Return(first);
            first = next;
        }
    }

    private void Count(int bytes, bool isOnThread)
    {
        if (isOnThread)
            _rented += bytes;
        else
            shared.Count(bytes);
    }
}

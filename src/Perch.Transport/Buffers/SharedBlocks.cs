namespace Perch.Transport.Buffers;

/// <summary>
/// Free blocks that no loop holds: as many as may still be rented (64 MiB without a limit), 4 MiB of small ones and 32 MiB of large ones.
/// Others go to the garbage collector.
/// </summary>
internal sealed class SharedBlocks
{
    /// <summary>Free blocks without a limit of what may be rented.</summary>
    public const int MaxKept = 1024;

    /// <summary>Free blocks that are kept while memory is short.</summary>
    private const int LeastKept = 256;

    public const int MaxSmallKept = 1024;
    public const int MaxLargeKept = 16;

    private readonly FreeBlocks _kept = new();
    private readonly FreeBlocks _small = new();
    private readonly Stack<Block> _large = new();
    private readonly Queue<IBlockWaiter> _waiters = new();
    private int _unusedLarge;
    private long _rented;
    private long _out;
    private long _limit = long.MaxValue;

    /// <summary>Bytes that other threads than the loops' have rented, less those that they have returned.</summary>
    public long Rented => Interlocked.Read(ref _rented);

    /// <summary>Bytes of the free blocks.</summary>
    public long FreeBytes
    {
        get
        {
            lock (_large)
                return ((long)_kept.Count * Block.Size) + ((long)_small.Count * Block.SmallSize) + _large.Sum(block => (long)block.Occupied);
        }
    }

    /// <summary>Allocates a block of a size. Replaced by tests.</summary>
    public Func<int, Block> Allocate { get; set; } = static size => size == Block.LargeSize ? Block.NewLarge() : new(size);

    public void Count(int bytes) => Interlocked.Add(ref _rented, bytes);

    /// <summary>Whether a reader must wait before it rents a block.</summary>
    /// <param name="reserve">Bytes above the limit that are left to such readers.</param>
    public bool IsShort(long reserve) => Volatile.Read(ref _out) - reserve >= Volatile.Read(ref _limit);

    /// <summary>Adds a reader that waits.</summary>
    /// <exception cref="OutOfMemoryException">The memory cannot be allocated.</exception>
    public void Wait(IBlockWaiter waiter)
    {
        lock (_waiters)
            _waiters.Enqueue(waiter);
    }

    /// <summary>
    /// Sets how many bytes may be rented in addition to those that are rented now, and lets as many readers continue. Rented and free
    /// blocks together stay below this limit, so that a burst is served by free blocks instead of garbage and new ones.
    /// </summary>
    /// <param name="bytes">Bytes; not positive if readers must wait.</param>
    public void SetRoom(long bytes)
    {
        Volatile.Write(ref _limit, Volatile.Read(ref _out) + Math.Max(0, bytes));
        _kept.Shrink(Math.Max(bytes / Block.Size, LeastKept));
        for (var room = bytes; room > 0 && TakeWaiter() is { } waiter; room -= Block.Size)
            waiter.OnBlocksFree();
    }

    /// <returns>Null if the memory cannot be allocated.</returns>
    public Block? TryRent() => Counted(_kept.TryTake() ?? TryAllocate(Block.Size));

    public void Return(Block block)
    {
        var left = Volatile.Read(ref _limit) - Interlocked.Add(ref _out, -block.Occupied);
        _kept.Add(block, Volatile.Read(ref _limit) == long.MaxValue ? MaxKept : Math.Max(left / Block.Size, LeastKept));
    }

    /// <inheritdoc cref="TryRent"/>
    public Block? TryRentSmall() => Counted(_small.TryTake() ?? TryAllocate(Block.SmallSize));

    public void ReturnSmall(Block block)
    {
        Interlocked.Add(ref _out, -block.Occupied);
        _small.Add(block, MaxSmallKept);
    }

    /// <summary>The last one that came back, which is still in the processor's cache.</summary>
    /// <inheritdoc cref="TryRent"/>
    public Block? TryRentLarge()
    {
        lock (_large)
        {
            if (_large.TryPop(out var block))
            {
                _unusedLarge = Math.Min(_unusedLarge, _large.Count);
                return Counted(block);
            }
        }

        return Counted(TryAllocate(Block.LargeSize));
    }

    public void ReturnLarge(Block block)
    {
        Interlocked.Add(ref _out, -block.Occupied);
        lock (_large)
        {
            if (_large.Count < MaxLargeKept) _large.Push(block);
        }
    }

    /// <summary>Leaves the free blocks that were not needed since the last call to the garbage collector.</summary>
    public void Trim()
    {
        _kept.Trim();
        _small.Trim();
        lock (_large)
        {
            for (; _unusedLarge > 0; _unusedLarge--)
                _ = _large.Pop();
            _unusedLarge = _large.Count;
        }
    }

    private Block? Counted(Block? block)
    {
        if (block is not null)
            Interlocked.Add(ref _out, block.Occupied);
        return block;
    }

    private IBlockWaiter? TakeWaiter()
    {
        lock (_waiters)
            return _waiters.TryDequeue(out var waiter) ? waiter : null;
    }

    private Block? TryAllocate(int size)
    {
        try
        {
            return Allocate(size);
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }
}

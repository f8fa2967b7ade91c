using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Perch.Connections;

/// <summary>
/// Blocks of 64 KiB for Kestrel's socket transport: a receive takes up to a whole block, and Kestrel's own are 4 KiB.
/// A connection holds a block only while bytes are in it.
/// </summary>
internal sealed class BlockMemoryPool : MemoryPool<byte>
{
    public const int BlockSize = 64 * 1024;

    /// <summary>What is kept for later, 64 MiB; blocks past it go to the garbage collector when they come back.</summary>
    public const int MaxKept = 1024;

    private readonly ConcurrentQueue<Block> _kept = new();
    private long _rented;
    private int _unused;

    public override int MaxBufferSize => BlockSize;

    public int Kept => _kept.Count;

    /// <summary>Bytes of the blocks that are rented.</summary>
    public long BytesRented => Interlocked.Read(ref _rented) * BlockSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        if (!_kept.TryDequeue(out var block))
            block = new(this);
        // A race here makes a trim a few blocks larger.
        if (_kept.Count is var left && left < Volatile.Read(ref _unused))
            Volatile.Write(ref _unused, left);
        Interlocked.Increment(ref _rented);
        block.Rented();
        return block;
    }

    protected override void Dispose(bool disposing)
    {
        // Nothing but memory.
    }

    /// <summary>Leaves the free blocks that were not needed since the last call to the garbage collector.</summary>
    public void Trim()
    {
        for (var surplus = Volatile.Read(ref _unused); surplus > 0 && _kept.TryDequeue(out _); surplus--)
        {
        }

        Volatile.Write(ref _unused, _kept.Count);
    }

    private void Return(Block block)
    {
        Interlocked.Decrement(ref _rented);
        if (_kept.Count < MaxKept) _kept.Enqueue(block);
    }

    private sealed class Block(BlockMemoryPool pool) : IMemoryOwner<byte>
    {
        private int _rented;

        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true), 0, BlockSize);

        public void Rented() => Volatile.Write(ref _rented, 1);

        /// <remarks>A second call, before the block is rented again, does nothing: one that is in the pool twice would be two peers' buffer.</remarks>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _rented, 0) == 1) pool.Return(this);
        }
    }
}

/// <summary>One pool for every endpoint.</summary>
internal sealed class BlockMemoryPoolFactory(BlockMemoryPool pool) : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => pool;
}

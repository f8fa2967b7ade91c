using System.Buffers;

namespace Perch.Transport.Buffers;

/// <summary>What was received and is not consumed. A mutable struct: kept in a field, never copied.</summary>
internal struct ReceivedBlocks
{
    private Block? _head;
    private int _headIndex;
    private bool _isUnexamined;

    /// <summary>The one that has the newest bytes; null where there are none.</summary>
    public Block? Last { get; private set; }

    /// <summary>Bytes that the blocks occupy.</summary>
    public long Occupied { get; private set; }

    /// <summary>Whether the reader has looked at all of it.</summary>
    public readonly bool IsExamined => !_isUnexamined;

    public readonly long Length => _head is null ? 0 : Last!.RunningIndex + Last.End - _head.RunningIndex - _headIndex;

    public readonly ReadOnlySequence<byte> Bytes => _head is null ? default : new(_head, _headIndex, Last!, Last!.End);

    /// <summary>Takes what was received into a block's free part: the last one's, or that of a new one.</summary>
    public void Append(Block block, int received)
    {
        if (!ReferenceEquals(block, Last))
        {
            if (Last is null)
                (_head, _headIndex) = (block, 0);
            else
                block.Follow(Last);
            Last = block;
            Occupied += block.Occupied;
        }

        block.End += received;
        block.Publish();
        _isUnexamined = true;
    }

    /// <summary>Returns the blocks that are consumed, the last one too: an idle connection holds none.</summary>
    /// <exception cref="InvalidOperationException">A position is not of <see cref="Bytes"/>, or less is examined than consumed.</exception>
    public void Consume(SequencePosition consumed, SequencePosition examined, BlockPool pool)
    {
        if (_head is null) return;
        if (consumed.GetObject() is not Block block || examined.GetObject() is not Block last) throw Foreign();
        var (to, seen) = (block.RunningIndex + consumed.GetInteger(), last.RunningIndex + examined.GetInteger());
        if (seen < to) throw new InvalidOperationException("What is consumed must be examined.");
        _isUnexamined = seen != Last!.RunningIndex + Last.End;
        while (!ReferenceEquals(_head, block)) ReleaseHead(pool);
        _headIndex = consumed.GetInteger();
        if (_headIndex == block.End) ReleaseHead(pool);
    }

    /// <summary>Moves a short remainder to a small block, so that a connection that waits does not hold a whole one.</summary>
    public void Compact(BlockPool pool)
    {
        if (Length <= Block.SmallSize && !_head!.IsSmall && pool.TryRentSmall() is { } small)
            MoveTo(small, pool);
    }

    /// <summary>Moves all bytes to the free part of an empty block, which must have room for them.</summary>
    public void MoveTo(Block block, BlockPool pool)
    {
        block.Add(Bytes);
        pool.ReturnAll(_head);
        (_head, Last, _headIndex, Occupied) = (block, block, 0, block.Occupied);
    }

    public void Release(BlockPool pool)
    {
        pool.ReturnAll(_head);
        (_head, Last, _headIndex, Occupied) = (null, null, 0, 0);
    }

    private static InvalidOperationException Foreign() => new("The position is not of the buffer that was read.");

    private void ReleaseHead(BlockPool pool)
    {
        var head = _head ?? throw Foreign();
        (_head, _headIndex) = (head.Following, 0);
        if (_head is null) Last = null;
        Occupied -= head.Occupied;
        pool.Return(head);
    }
}

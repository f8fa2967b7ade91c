namespace Perch.Transport.Buffers;

/// <summary>
/// A loop's blocks. On the loop's own thread the last one that came back is the next one out, still in the processor's
/// cache, without a lock; on others it is the shared ones'.
/// </summary>
internal sealed class BlockPool(SharedBlocks shared)
{
    private const int MaxKept = 32;

    private readonly Block?[] _kept = new Block?[MaxKept];
    private int _count;
    private int _thread;

    public void OwnByThisThread() => _thread = Environment.CurrentManagedThreadId;

    public Block Rent()
    {
        if (_count == 0 || Environment.CurrentManagedThreadId != _thread) return shared.Rent();
        var block = _kept[--_count]!;
        _kept[_count] = null;
        return block;
    }

    public Block RentLarge() => shared.RentLarge();

    /// <remarks>Called once for each that was rented: who returns it must not hold it any more.</remarks>
    public void Return(Block block)
    {
        if (!block.IsPooled && !block.IsLarge) return;
        block.Reset();
        if (block.IsLarge) shared.ReturnLarge(block);
        else if (Environment.CurrentManagedThreadId == _thread && _count < MaxKept) _kept[_count++] = block;
        else shared.Return(block);
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
}

namespace Perch.Transport.Buffers;

/// <summary>A bounded stack of free blocks, for one thread. A mutable struct: kept in a field, never copied.</summary>
internal struct BlockStack(int capacity)
{
    private readonly Block?[] _blocks = new Block?[capacity];
    private int _count;
    private int _unused;

    public readonly int Count => _count;

    /// <returns>The block that was pushed last; null if the stack is empty.</returns>
    public Block? TryPop()
    {
        if (_count == 0)
            return null;
        var block = _blocks[--_count];
        _blocks[_count] = null;
        if (_count < _unused)
            _unused = _count;
        return block;
    }

    /// <returns>False if the stack is full.</returns>
    public bool TryPush(Block block)
    {
        if (_count == _blocks.Length)
            return false;
        _blocks[_count++] = block;
        return true;
    }

    /// <summary>Leaves the blocks that were not needed since the last call to the garbage collector.</summary>
    public void Trim()
    {
        for (var surplus = _unused; surplus > 0; surplus--)
            _ = TryPop();
        _unused = _count;
    }
}

namespace Perch.Transport.Buffers;

/// <summary>Blocks in the order in which they are sent. A mutable struct: kept in a field, never copied.</summary>
internal struct BlockList
{
    public Block? First { get; private set; }

    public Block? Last { get; private set; }

    /// <summary>The bytes in it.</summary>
    public long Length { get; set; }

    /// <summary>Bytes that the blocks occupy.</summary>
    public long Occupied { get; private set; }

    public void Append(Block block)
    {
        Occupied += block.Occupied;
        if (Last is null) First = block;
        else Last.Following = block;
        Last = block;
    }

    /// <summary>Moves another list's blocks behind these.</summary>
    public void Append(ref BlockList other)
    {
        if (other.First is not { } first) return;
        if (Last is null) First = first;
        else Last.Following = first;
        (Last, Length, Occupied) = (other.Last, Length + other.Length, Occupied + other.Occupied);
        other = default;
    }

    /// <summary>Drops what was sent, and returns the blocks that are empty.</summary>
    public void Drop(long bytes, BlockPool pool)
    {
        Length -= bytes;
        while (First is { } first)
        {
            var dropped = (int)Math.Min(bytes, first.Length);
            first.Start += dropped;
            bytes -= dropped;
            if (first.Length > 0) return;
            First = first.Following;
            if (First is null) Last = null;
            Occupied -= first.Occupied;
            pool.Return(first);
        }
    }

    /// <returns>The first of all its blocks; it is empty then.</returns>
    public Block? Take()
    {
        var first = First;
        this = default;
        return first;
    }
}

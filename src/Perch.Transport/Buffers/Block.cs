using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Perch.Transport.Buffers;

/// <summary>A pinned array in a list of them: what was received and is not consumed, or what was written and is not sent.</summary>
internal sealed unsafe class Block : ReadOnlySequenceSegment<byte>
{
    public const int Size = 64 * 1024;

    /// <summary>Bytes of a block for a short unfinished message.</summary>
    public const int SmallSize = 4096;

    /// <summary>Of one that begins on a page.</summary>
    public const int LargeSize = DirectTransportOptions.LargeReadBytes;

    private readonly byte[] _array;
    private readonly int _base;
    private readonly int _capacity;

    public Block(int size = Size) => (_array, _capacity) = (GC.AllocateUninitializedArray<byte>(size, pinned: true), size);

    private Block(byte[] array, int start) => (_array, _base, _capacity) = (array, start, LargeSize);

    /// <summary>The first byte that is not yet sent; a reader's blocks do not use it.</summary>
    public int Start { get; set; }

    /// <summary>Behind the last byte that is in use.</summary>
    public int End { get; set; }

    public int Length => End - Start;

    public int Free => _capacity - End;

    /// <summary>Bytes that the block occupies.</summary>
    public int Occupied => _array.Length;

    public bool IsPooled => _array.Length == Size;

    public bool IsSmall => _array.Length == SmallSize;

    public bool IsLarge => _capacity < _array.Length;

    public byte* Address => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_array)) + _base;

    public Block? Following
    {
        get => Unsafe.As<Block?>(Next);
        set => Next = value;
    }

    public Memory<byte> FreeMemory => MemoryMarshal.CreateFromPinnedArray(_array, _base + End, Free);

    public Span<byte> FreeSpan => _array.AsSpan(_base + End, Free);

    public static Block NewLarge()
    {
        var array = GC.AllocateUninitializedArray<byte>(LargeSize + Environment.SystemPageSize, pinned: true);
        var address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array));
        return new(array, (int)(-address & (Environment.SystemPageSize - 1)));
    }

    /// <summary>Copies bytes to the free part, which must have room for them.</summary>
    public void Add(in ReadOnlySequence<byte> bytes)
    {
        bytes.CopyTo(FreeSpan);
        End += (int)bytes.Length;
        Publish();
    }

    /// <summary>Makes what is in use visible to a sequence; called after <see cref="End"/> has moved.</summary>
    public void Publish() => Memory = MemoryMarshal.CreateFromPinnedArray(_array, _base, End);

    /// <summary>Links it behind another one.</summary>
    public void Follow(Block previous)
    {
        RunningIndex = previous.RunningIndex + previous.End;
        previous.Next = this;
    }

    public void Reset()
    {
        (Start, End, RunningIndex) = (0, 0, 0);
        Next = null;
    }
}

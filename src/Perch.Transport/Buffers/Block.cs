using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Perch.Transport.Buffers;

/// <summary>A pinned array in a list of them: what was received and is not consumed, or what was written and is not sent.</summary>
internal sealed unsafe class Block : ReadOnlySequenceSegment<byte>
{
    public const int Size = 64 * 1024;

    private readonly byte[] _array;

    public Block(int size = Size) => _array = GC.AllocateUninitializedArray<byte>(size, pinned: true);

    /// <summary>The first byte that is not yet sent; a reader's blocks do not use it.</summary>
    public int Start { get; set; }

    /// <summary>Behind the last byte that is in use.</summary>
    public int End { get; set; }

    public int Length => End - Start;

    public int Free => _array.Length - End;

    public bool IsPooled => _array.Length == Size;

    public byte* Address => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_array));

    public Block? Following
    {
        get => Unsafe.As<Block?>(Next);
        set => Next = value;
    }

    public Memory<byte> FreeMemory => MemoryMarshal.CreateFromPinnedArray(_array, End, Free);

    public Span<byte> FreeSpan => _array.AsSpan(End);

    /// <summary>Makes what is in use visible to a sequence; called after <see cref="End"/> has moved.</summary>
    public void Publish() => Memory = MemoryMarshal.CreateFromPinnedArray(_array, 0, End);

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

using System.Buffers;

namespace Perch.Datagrams;

/// <summary>Where a handler writes the one datagram that answers another. Grows to what a datagram can hold, and keeps that.</summary>
internal sealed class ReplyBuffer : IBufferWriter<byte>
{
    /// <summary>65,535 less the headers of IPv4 and UDP (RFC 768, RFC 791).</summary>
    public const int MostBytes = 65_507;

    private const int FirstBytes = 2048;

    private byte[] _bytes = Allocate(FirstBytes);

    public int Length { get; private set; }

    /// <summary>Something was written, be it of no length: an empty datagram is a reply too.</summary>
    public bool IsWritten { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Pinned.</summary>
    public byte[] Bytes => _bytes;

    public void Clear() => (Length, IsWritten) = (0, false);

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - Length);
        (Length, IsWritten) = (Length + count, true);
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsSpan(Length);
    }

    private void Reserve(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        var needed = Length + Math.Max(1L, sizeHint);
        if (needed <= _bytes.Length) return;
        // One byte over what fits, so that a full buffer still has room to hand out.
        if (needed > MostBytes + 1) throw new InvalidOperationException($"A reply over UDP is one datagram: at most {MostBytes} bytes.");
        var larger = Allocate((int)Math.Min(MostBytes + 1, Math.Max(needed, _bytes.Length * 2L)));
        Written.CopyTo(larger);
        _bytes = larger;
    }

    private static byte[] Allocate(int length) => GC.AllocateUninitializedArray<byte>(length, pinned: true);
}

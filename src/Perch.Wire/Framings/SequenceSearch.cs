using System.Buffers;

namespace Perch.Wire.Framings;

/// <summary>Looks into a sequence by offset; nearly every buffer is one segment, which takes the short way.</summary>
internal static class SequenceSearch
{
    /// <summary>The offset of the first <paramref name="value"/> at or after <paramref name="from"/>, or -1.</summary>
    public static long IndexOf(this in ReadOnlySequence<byte> buffer, byte value, long from)
    {
        if (buffer.IsSingleSegment)
        {
            var found = buffer.FirstSpan[(int)from..].IndexOf(value);
            return found < 0 ? -1 : from + found;
        }

        var offset = from;
        foreach (var segment in buffer.Slice(from))
        {
            var found = segment.Span.IndexOf(value);
            if (found >= 0)
                return offset + found;
            offset += segment.Length;
        }

        return -1;
    }

    /// <summary>
    /// The offset of the first <paramref name="value"/> or <paramref name="other"/> at or after <paramref name="from"/>, or -1.
    /// </summary>
    public static long IndexOfAny(this in ReadOnlySequence<byte> buffer, byte value, byte other, long from)
    {
        if (buffer.IsSingleSegment)
        {
            var found = buffer.FirstSpan[(int)from..].IndexOfAny(value, other);
            return found < 0 ? -1 : from + found;
        }

        var offset = from;
        foreach (var segment in buffer.Slice(from))
        {
            var found = segment.Span.IndexOfAny(value, other);
            if (found >= 0)
                return offset + found;
            offset += segment.Length;
        }

        return -1;
    }

    /// <summary>The byte at <paramref name="offset"/>, which is less than the length of <paramref name="buffer"/>.</summary>
    public static byte At(this in ReadOnlySequence<byte> buffer, long offset)
    {
        var first = buffer.FirstSpan;
        if (offset < first.Length)
            return first[(int)offset];

        // A segment may be empty, so the first byte is not always in the first span of a slice.
        foreach (var segment in buffer.Slice(offset))
        {
            if (!segment.IsEmpty)
                return segment.Span[0];
        }

        throw new ArgumentOutOfRangeException(nameof(offset));
    }
}

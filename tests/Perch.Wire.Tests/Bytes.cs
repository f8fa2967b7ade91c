using System.Buffers;
using System.Text;

namespace Perch.Wire.Tests;

/// <summary>Streams are written as text in which each character is one byte.</summary>
internal static class Bytes
{
    public static byte[] Of(string text) => Encoding.Latin1.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    public static string Text(in ReadOnlySequence<byte> bytes) => Text(bytes.ToArray());

    /// <summary>One segment for each part; a part may be empty.</summary>
    public static ReadOnlySequence<byte> Sequence(params IReadOnlyList<byte[]> parts)
    {
        if (parts.Count == 0)
            return default;
        var first = new Segment(parts[0], null);
        var last = parts.Skip(1).Aggregate(first, (previous, part) => new Segment(part, previous));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    /// <summary>Cuts a stream into parts of the given sizes, taken round and round.</summary>
    public static List<byte[]> Chop(byte[] stream, params int[] sizes)
    {
        var parts = new List<byte[]>();
        var at = 0;
        for (var i = 0; at < stream.Length; i++)
        {
            var size = Math.Min(sizes[i % sizes.Length], stream.Length - at);
            parts.Add(stream[at..(at + size)]);
            at += size;
        }

        return parts;
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] bytes, Segment? previous)
        {
            Memory = bytes;
            if (previous is null)
                return;
            RunningIndex = previous.RunningIndex + previous.Memory.Length;
            previous.Next = this;
        }
    }
}

using System.Buffers;
using System.Buffers.Binary;

namespace Perch.Wire.Framings;

/// <summary>A length before each message: four bytes, unsigned, big-endian, itself not counted.</summary>
/// <remarks>
/// <code>
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +---------------------------------------------------------------+
/// |                            length                             |
/// +---------------------------------------------------------------+
/// |                    message, length bytes                      :
/// +---------------------------------------------------------------+
/// </code>
/// A length of 0 is an empty message.
/// </remarks>
public static class LengthFraming
{
    /// <summary>The length of the header in bytes.</summary>
    public const int HeaderLength = sizeof(uint);

    /// <summary>Takes the next message, if all of it has arrived.</summary>
    /// <param name="buffer">The unread bytes; on success it is moved past the message.</param>
    /// <param name="max">The bound of one message in bytes, the header not counted.</param>
    /// <param name="message">A slice of <paramref name="buffer"/> without the header.</param>
    /// <returns>
    /// <see langword="false"/> when more bytes are needed; at most <paramref name="max"/> + 3 are then unread.
    /// </returns>
    /// <exception cref="ProtocolException"><c>too-long</c>, as soon as the header is there.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        message = default;
        var available = buffer.Length;
        if (available < HeaderLength)
            return false;

        var length = ReadLength(buffer);
        if (length > (uint)max)
            throw ProtocolException.TooLong(max);
        if (available - HeaderLength < length)
            return false;

        message = buffer.Slice(HeaderLength, length);
        buffer = buffer.Slice(HeaderLength + (long)length);
        return true;
    }

    /// <summary>Appends the length of <paramref name="message"/> and then the message.</summary>
    /// <param name="output">Where the message goes.</param>
    /// <param name="message">The bytes of the message.</param>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> message)
    {
        ArgumentNullException.ThrowIfNull(output);
        var span = output.GetSpan(HeaderLength + message.Length);
        BinaryPrimitives.WriteUInt32BigEndian(span, (uint)message.Length);
        message.CopyTo(span[HeaderLength..]);
        output.Advance(HeaderLength + message.Length);
    }

    private static uint ReadLength(in ReadOnlySequence<byte> buffer)
    {
        if (BinaryPrimitives.TryReadUInt32BigEndian(buffer.FirstSpan, out var length))
            return length;

        Span<byte> header = stackalloc byte[HeaderLength];
        buffer.Slice(0, HeaderLength).CopyTo(header);
        return BinaryPrimitives.ReadUInt32BigEndian(header);
    }
}

using System.Buffers;

namespace Perch.Wire.Framings;

/// <summary>Syslog over TCP, RFC 6587: each message says with its first byte how it is framed.</summary>
/// <remarks>
/// <code>
/// octet counting (3.4.1), first byte '1' to '9':
///  1 or more digits   1         MSG-LEN bytes
/// +-----------------+----+------------------------+
/// |     MSG-LEN     | SP |      SYSLOG-MSG        |
/// +-----------------+----+------------------------+
///
/// non-transparent framing (3.4.2), any other first byte:
///  1 or more bytes   0 or 1   1
/// +----------------+--------+----+
/// |   SYSLOG-MSG   |   CR   | LF |
/// +----------------+--------+----+
/// </code>
/// Some senders end an octet-counted frame with an LF that they do not count, so an empty line yields no message: it is
/// skipped. A counted message is passed on byte for byte, also when it ends in LF. A NUL ends no message (3.4.2 mentions
/// senders that use it); it is a byte like others.
/// </remarks>
public static class SyslogFraming
{
    /// <summary>Takes the next message, if all of it has arrived.</summary>
    /// <remarks>Searches from the start each time: use the overload with <c>scanned</c> where a peer may trickle.</remarks>
    /// <inheritdoc cref="TryRead(ref ReadOnlySequence{byte}, int, ref long, out ReadOnlySequence{byte})"/>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        long scanned = 0;
        return TryRead(ref buffer, max, ref scanned, out message);
    }

    /// <summary>Takes the next message, if all of it has arrived, and looks at no byte of a line twice.</summary>
    /// <param name="buffer">
    /// The unread bytes; it is moved past the message, and past empty lines even when no message follows them yet.
    /// </param>
    /// <param name="max">The bound of one message in bytes, its header or line end not counted.</param>
    /// <param name="scanned">
    /// How many bytes at the start of <paramref name="buffer"/> are known to hold no LF. Start with 0 and pass it on as it
    /// comes back, together with a buffer that begins with the same unread bytes.
    /// </param>
    /// <param name="message">A slice of <paramref name="buffer"/>, never empty on success.</param>
    /// <returns>
    /// <see langword="false"/> when more bytes are needed; at most <paramref name="max"/> and the digits of
    /// <paramref name="max"/> are then unread.
    /// </returns>
    /// <exception cref="ProtocolException">
    /// <c>too-long</c>, as soon as the digits or the line exceed <paramref name="max"/>; <c>malformed</c>, when something
    /// other than SP follows the digits.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public static bool TryRead(
        ref ReadOnlySequence<byte> buffer, int max, ref long scanned, out ReadOnlySequence<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        while (!buffer.IsEmpty)
        {
            if (buffer.At(0) is >= (byte)'1' and <= (byte)'9')
                return TryReadCounted(ref buffer, max, out message);
            if (!LineFraming.TryRead(ref buffer, max, ref scanned, out message))
                return false;
            if (!message.IsEmpty)
                return true;
        }

        message = default;
        return false;
    }

    private static bool TryReadCounted(
        ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (!TryReadCount(buffer, max, out var count, out var header) || buffer.Length - header < count)
            return false;

        message = buffer.Slice(header, count);
        buffer = buffer.Slice(header + count);
        return true;
    }

    // The first digit is not 0, so every further one makes the count larger: the bound also bounds the digits.
    private static bool TryReadCount(in ReadOnlySequence<byte> buffer, int max, out long count, out long header)
    {
        count = 0;
        header = 0;
        foreach (var segment in buffer)
        {
            foreach (var octet in segment.Span)
            {
                header++;
                if (octet == (byte)' ')
                    return true;
                if (octet is < (byte)'0' or > (byte)'9')
                    throw new ProtocolException("malformed", "The syslog message length is not digits and a space.");
                count = (count * 10) + (octet - (byte)'0');
                if (count > max)
                    throw ProtocolException.TooLong(max);
            }
        }

        return false;
    }
}

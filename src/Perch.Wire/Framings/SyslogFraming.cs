using System.Buffers;

namespace Perch.Wire.Framings;

/// <summary>Syslog over TCP, RFC 6587: the first bytes of each message determine how it is framed.</summary>
/// <remarks>
/// <code>
/// octet counting (3.4.1): digits, of which the first is not '0', SP and '&lt;'
///  1 or more digits   1         MSG-LEN bytes
/// +-----------------+----+------------------------+
/// |     MSG-LEN     | SP |  SYSLOG-MSG ('&lt;'...)   |
/// +-----------------+----+------------------------+
///
/// non-transparent framing (3.4.2), any other first bytes:
///  1 or more bytes   0 or 1    1
/// +----------------+--------+------+
/// |   SYSLOG-MSG   |   CR   |  LF  |
/// +----------------+--------+------+
/// |   SYSLOG-MSG            | NUL  |
/// +-------------------------+------+
/// </code>
/// SYSLOG-MSG begins with PRI and so with '&lt;' (RFC 5424, 6), which separates a count from a line that begins with a
/// number. Some senders end an octet-counted frame with an LF or NUL that they do not count, so an empty line yields no
/// message: it is skipped. A counted message is passed on byte for byte, also when it ends in LF.
/// </remarks>
public static class SyslogFraming
{
    private const byte Cr = (byte)'\r';
    private const byte Lf = (byte)'\n';
    private const byte Nul = 0;

    /// <summary>The digits of <see cref="int.MaxValue"/>: a longer count exceeds every bound.</summary>
    private const int MaxCountDigits = 10;

    private enum Start
    {
        /// <summary>Digits, SP and '&lt;'.</summary>
        Count,

        /// <summary>So far digits, or digits and SP.</summary>
        Undecided,

        /// <summary>Anything else, or too many digits for a count that fits.</summary>
        Line,
    }

    /// <summary>Takes the next message, if all of it has arrived.</summary>
    /// <remarks>Searches from the start each time: use the overload with <c>scanned</c> where a peer may trickle.</remarks>
    /// <inheritdoc cref="TryRead(ref ReadOnlySequence{byte}, int, ref long, out ReadOnlySequence{byte})"/>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        long scanned = 0;
        return TryRead(ref buffer, max, ref scanned, out message);
    }

    /// <summary>Takes the next message, if all of it has arrived, and searches no byte of a line twice.</summary>
    /// <param name="buffer">
    /// The unread bytes; it is moved past the message, and past empty lines even when no message follows them yet.
    /// </param>
    /// <param name="max">The bound of one message in bytes, its header or line end not counted.</param>
    /// <param name="scanned">
    /// The number of bytes at the start of <paramref name="buffer"/> that are known to hold neither LF nor NUL. Start with 0
    /// and pass it on as it comes back, together with a buffer that begins with the same unread bytes.
    /// </param>
    /// <param name="message">A slice of <paramref name="buffer"/>, never empty on success.</param>
    /// <returns>
    /// <see langword="false"/> when more bytes are needed; at most <paramref name="max"/> and the digits of
    /// <paramref name="max"/> are then unread.
    /// </returns>
    /// <exception cref="ProtocolException">
    /// <c>too-long</c>, as soon as the count or the line exceeds <paramref name="max"/>.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public static bool TryRead(
        ref ReadOnlySequence<byte> buffer, int max, ref long scanned, out ReadOnlySequence<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        message = default;
        while (!buffer.IsEmpty)
        {
            var start = ReadStart(buffer, out var count, out var header);
            if (start == Start.Count)
                return TryReadCounted(ref buffer, max, count, header, out message);
            if (start == Start.Undecided && count <= max)
                return false;
            if (!TryReadLine(ref buffer, max, ref scanned, out message))
                return false;
            if (!message.IsEmpty)
                return true;
        }

        return false;
    }

    /// <summary>At the end of the stream: takes the bytes that <c>TryRead</c> left unread as the last message.</summary>
    /// <param name="buffer">The unread bytes; it is moved to its end, unless an incomplete counted message is left.</param>
    /// <param name="max">The bound of one message in bytes, one CR at its end not counted.</param>
    /// <param name="message">A slice of <paramref name="buffer"/>, never empty on success.</param>
    /// <returns>
    /// <see langword="false"/> when there is no message: with unread bytes in <paramref name="buffer"/>, the stream ended
    /// inside a counted message.
    /// </returns>
    /// <exception cref="ProtocolException"><c>too-long</c>.</exception>
    public static bool TryReadLast(ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (buffer.IsEmpty || ReadStart(buffer, out _, out _) == Start.Count)
            return false;

        message = Line(buffer, buffer.Length, max, mayEndInCr: true);
        buffer = buffer.Slice(buffer.End);
        return !message.IsEmpty;
    }

    /// <summary>The message of a datagram (RFC 5426): without one NUL and one LF at its end, in any order.</summary>
    /// <remarks>Such senders treat UDP as they treat TCP: Python's SysLogHandler adds NUL to every message.</remarks>
    /// <param name="datagram">The payload of one datagram.</param>
    /// <returns>A slice of <paramref name="datagram"/>.</returns>
    public static ReadOnlyMemory<byte> TrimDatagram(ReadOnlyMemory<byte> datagram) => datagram.Span switch
    {
        [.., Nul, Lf] or [.., Lf, Nul] => datagram[..^2],
        [.., Nul or Lf] => datagram[..^1],
        _ => datagram,
    };

    private static bool TryReadCounted(
        ref ReadOnlySequence<byte> buffer, int max, long count, int header, out ReadOnlySequence<byte> message)
    {
        if (count > max)
            throw ProtocolException.TooLong(max);
        message = default;
        if (buffer.Length - header < count)
            return false;

        message = buffer.Slice(header, count);
        buffer = buffer.Slice(header + count);
        return true;
    }

    private static bool TryReadLine(
        ref ReadOnlySequence<byte> buffer, int max, ref long scanned, out ReadOnlySequence<byte> message)
    {
        message = default;
        var end = buffer.IndexOfAny(Lf, Nul, scanned);
        if (end < 0)
        {
            scanned = buffer.Length;
            // One byte over the bound is not too long yet if that byte is the CR of a CRLF.
            if (scanned > max && !(scanned == max + 1L && buffer.At(max) == Cr))
                throw ProtocolException.TooLong(max);
            return false;
        }

        message = Line(buffer, end, max, mayEndInCr: buffer.At(end) == Lf);
        buffer = buffer.Slice(end + 1);
        scanned = 0;
        return true;
    }

    private static ReadOnlySequence<byte> Line(in ReadOnlySequence<byte> buffer, long end, int max, bool mayEndInCr)
    {
        var length = mayEndInCr && end > 0 && buffer.At(end - 1) == Cr ? end - 1 : end;
        var line = buffer.Slice(0, length);
        if (length > max || BeginsWithOverlongCount(line))
            throw ProtocolException.TooLong(max);
        return line;
    }

    // Looks at no more bytes than the longest count with SP and '<', so a peer that trickles digits costs little.
    private static Start ReadStart(in ReadOnlySequence<byte> buffer, out long count, out int header)
    {
        (count, header) = (0, 0);
        if (buffer.At(0) is < (byte)'1' or > (byte)'9')
            return Start.Line;

        var isAfterDigits = false;
        foreach (var segment in buffer)
        {
            foreach (var octet in segment.Span)
            {
                if (isAfterDigits)
                    return octet == (byte)'<' ? Start.Count : Start.Line;
                header++;
                isAfterDigits = octet == (byte)' ';
                if (isAfterDigits)
                    continue;
                if (octet is < (byte)'0' or > (byte)'9' || header > MaxCountDigits)
                    return Start.Line;
                count = (count * 10) + (octet - (byte)'0');
            }
        }

        return Start.Undecided;
    }

    private static bool BeginsWithOverlongCount(in ReadOnlySequence<byte> line)
    {
        if (line.Length <= MaxCountDigits || line.At(0) is < (byte)'1' or > (byte)'9')
            return false;

        var reader = new SequenceReader<byte>(line);
        return reader.AdvancePastAny("0123456789"u8) > MaxCountDigits && reader.IsNext(" <"u8);
    }
}

using System.Buffers;

namespace Perch.Wire.Framings;

/// <summary>Lines: LF or CRLF ends a message and is not part of it.</summary>
/// <remarks>
/// <code>
///  0 or more bytes   0 or 1   1
/// +----------------+--------+----+
/// |    message     |   CR   | LF |
/// +----------------+--------+----+
/// </code>
/// Only the one CR right before the LF is dropped; any other CR belongs to the message. An empty line is an empty message.
/// </remarks>
public static class LineFraming
{
    private const byte Cr = (byte)'\r';
    private const byte Lf = (byte)'\n';

    /// <summary>Takes the next line, if all of it has arrived.</summary>
    /// <remarks>Searches from the start each time: use the overload with <c>scanned</c> where a peer may trickle.</remarks>
    /// <inheritdoc cref="TryRead(ref ReadOnlySequence{byte}, int, ref long, out ReadOnlySequence{byte})"/>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        long scanned = 0;
        return TryRead(ref buffer, max, ref scanned, out message);
    }

    /// <summary>Takes the next line, if all of it has arrived, and looks at no byte twice.</summary>
    /// <param name="buffer">The unread bytes; on success it is moved past the line's end.</param>
    /// <param name="max">The bound of one message in bytes, its CR and LF not counted.</param>
    /// <param name="scanned">
    /// How many bytes at the start of <paramref name="buffer"/> are known to hold no LF. Start with 0 and pass it on as it
    /// comes back, together with a buffer that begins with the same unread bytes.
    /// </param>
    /// <param name="message">A slice of <paramref name="buffer"/> without the line's end.</param>
    /// <returns><see langword="false"/> when more bytes are needed; at most <paramref name="max"/> + 1 are then unread.</returns>
    /// <exception cref="ProtocolException"><c>too-long</c>, as soon as the line cannot fit any more.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is negative.</exception>
    public static bool TryRead(
        ref ReadOnlySequence<byte> buffer, int max, ref long scanned, out ReadOnlySequence<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(max);
        var end = buffer.IndexOf(Lf, scanned);
        if (end < 0)
        {
            scanned = buffer.Length;
            if (scanned > max && !MayStillFit(buffer, max))
                throw ProtocolException.TooLong(max);
            message = default;
            return false;
        }

        var length = end > 0 && buffer.At(end - 1) == Cr ? end - 1 : end;
        if (length > max)
            throw ProtocolException.TooLong(max);

        message = buffer.Slice(0, length);
        buffer = buffer.Slice(end + 1);
        scanned = 0;
        return true;
    }

    /// <summary>Appends <paramref name="message"/> and LF.</summary>
    /// <remarks>Nothing is escaped: a message that holds LF is read as several, and one that ends in CR loses it.</remarks>
    /// <param name="output">Where the line goes.</param>
    /// <param name="message">The bytes of the line without its end.</param>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> message)
    {
        ArgumentNullException.ThrowIfNull(output);
        var span = output.GetSpan(message.Length + 1);
        message.CopyTo(span);
        span[message.Length] = Lf;
        output.Advance(message.Length + 1);
    }

    // Over the bound by one byte is no verdict yet if that byte is the CR of a CRLF.
    private static bool MayStillFit(in ReadOnlySequence<byte> buffer, int max) =>
        buffer.Length == max + 1L && buffer.At(max) == Cr;
}

using System.Buffers;

namespace Perch.Wire.Framings;

/// <summary>No framing: whatever has arrived is a message, cut at the bound.</summary>
/// <remarks>
/// TCP keeps no boundaries, so a peer's one write may arrive as several messages and several as one. It suits a protocol
/// that works on bytes (echo, discard); for anything else pick a framing that marks its messages.
/// </remarks>
public static class ChunkFraming
{
    /// <summary>Takes what is there, at most <paramref name="max"/> bytes of it.</summary>
    /// <param name="buffer">The unread bytes; on success it is moved past the message.</param>
    /// <param name="max">The bound of one message in bytes, at least 1.</param>
    /// <param name="message">A slice of <paramref name="buffer"/>, never empty on success.</param>
    /// <returns><see langword="false"/> when <paramref name="buffer"/> is empty.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="max"/> is less than 1.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, int max, out ReadOnlySequence<byte> message)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        var length = buffer.Length;
        if (length == 0)
        {
            message = default;
            return false;
        }

        message = length <= max ? buffer : buffer.Slice(0, max);
        buffer = buffer.Slice(message.End);
        return true;
    }
}

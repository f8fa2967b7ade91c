using System.Buffers;
using System.Runtime.InteropServices;

namespace Perch.Wire.Framings;

/// <summary>Cuts the bytes of one connection into messages, whatever its framing.</summary>
/// <remarks>
/// A mutable value, one per connection and per direction: keep it in a local or a field that is not read-only, and do not
/// copy it. It holds no bytes, and reading allocates nothing.
/// </remarks>
[StructLayout(LayoutKind.Auto)]
public struct FrameReader
{
    private readonly Framing _framing;
    private readonly int _max;
    private long _scanned;

    /// <summary>A reader at the start of a stream.</summary>
    /// <param name="framing">How the messages are cut.</param>
    /// <param name="maxMessageBytes">The bound of one message in bytes, at least 1; header and line end are not counted.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="framing"/> is not one of the named values, or <paramref name="maxMessageBytes"/> is less than 1.
    /// </exception>
    public FrameReader(Framing framing, int maxMessageBytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)framing, (uint)Framing.Syslog, nameof(framing));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxMessageBytes);
        _framing = framing;
        _max = maxMessageBytes;
    }

    /// <summary>Takes the next message, if all of it has arrived.</summary>
    /// <remarks>
    /// Call it until it returns <see langword="false"/>, then read on and hand back a buffer that begins with the same
    /// unread bytes. What stays unread is bounded by the largest message and its header or line end, so a pipe that
    /// pauses above that bound never stalls.
    /// </remarks>
    /// <param name="buffer">The unread bytes; it is moved past everything that was consumed.</param>
    /// <param name="message">A slice of <paramref name="buffer"/>, valid as long as the buffer is.</param>
    /// <returns><see langword="false"/> when more bytes are needed.</returns>
    /// <exception cref="ProtocolException">
    /// <c>too-long</c>, see the framing; the reader is of no use afterwards.
    /// </exception>
    public bool TryRead(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> message) => _framing switch
    {
        Framing.Line => LineFraming.TryRead(ref buffer, _max, ref _scanned, out message),
        Framing.Length => LengthFraming.TryRead(ref buffer, _max, out message),
        Framing.Syslog => SyslogFraming.TryRead(ref buffer, _max, ref _scanned, out message),
        _ => ChunkFraming.TryRead(ref buffer, _max, out message),
    };

    /// <summary>Takes the next message; at the end of the stream also a last one that the end of the stream completes.</summary>
    /// <remarks>
    /// Only <see cref="Framing.Syslog"/> has such a message, see <see cref="SyslogFraming.TryReadLast"/>. Call
    /// <see cref="EnsureComplete"/> when it returns <see langword="false"/> at the end of the stream.
    /// </remarks>
    /// <param name="buffer">The unread bytes; it is moved past everything that was consumed.</param>
    /// <param name="isCompleted">
    /// Whether the peer has ended the stream in order and <paramref name="buffer"/> has all that is left of it.
    /// </param>
    /// <param name="message">A slice of <paramref name="buffer"/>, valid as long as the buffer is.</param>
    /// <returns><see langword="false"/> when more bytes are needed, or none are left.</returns>
    /// <exception cref="ProtocolException"><c>too-long</c>, see the framing; the reader is of no use afterwards.</exception>
    public bool TryRead(ref ReadOnlySequence<byte> buffer, bool isCompleted, out ReadOnlySequence<byte> message) =>
        TryRead(ref buffer, out message)
        || (isCompleted && _framing == Framing.Syslog && SyslogFraming.TryReadLast(ref buffer, _max, out message));

    /// <summary>At the end of the stream: checks that it did not end inside a message.</summary>
    /// <param name="rest">The bytes that <c>TryRead</c> left unread.</param>
    /// <exception cref="ProtocolException"><c>truncated</c>, when <paramref name="rest"/> is not empty.</exception>
    public readonly void EnsureComplete(in ReadOnlySequence<byte> rest)
    {
        if (!rest.IsEmpty)
            throw new ProtocolException("truncated", $"The stream ended inside a message ({_framing} framing).");
    }
}

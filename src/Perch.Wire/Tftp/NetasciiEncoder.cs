namespace Perch.Wire.Tftp;

/// <summary>
/// Turns a file of this system into netascii (RFC 1350, section 1; RFC 764): LF becomes CR LF, CR becomes CR NUL. A pair may
/// be cut by the end of a block, so one encoder serves one transfer, block after block.
/// </summary>
public sealed class NetasciiEncoder
{
    private const byte Nothing = 0xFF;

    /// <summary>The second byte of a pair whose first one was the last that fitted.</summary>
    private byte _pending = Nothing;

    /// <summary>Everything that was taken is also written.</summary>
    public bool IsFlushed => _pending == Nothing;

    /// <summary>Encodes as much as fits.</summary>
    /// <param name="source">Bytes of the file.</param>
    /// <param name="destination">Room for the wire's.</param>
    /// <param name="consumed">How many of the source were taken.</param>
    /// <param name="written">How many were written; fewer than there is room only where the source is used up.</param>
    public void Encode(ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        if (destination.IsEmpty) return;
        if (_pending != Nothing)
        {
            destination[written++] = _pending;
            _pending = Nothing;
        }

        while (consumed < source.Length && written < destination.Length)
        {
            var plain = Math.Min(source.Length - consumed, destination.Length - written);
            var run = source.Slice(consumed, plain);
            if (run.IndexOfAny((byte)'\r', (byte)'\n') is var at and >= 0) run = run[..at];
            run.CopyTo(destination[written..]);
            (consumed, written) = (consumed + run.Length, written + run.Length);
            if (run.Length == plain) continue;
            var second = source[consumed++] == '\n' ? (byte)'\n' : (byte)0;
            destination[written++] = (byte)'\r';
            if (written < destination.Length) destination[written++] = second;
            else _pending = second;
        }
    }
}

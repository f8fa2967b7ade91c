namespace Perch.Wire.Tftp;

/// <summary>
/// Turns netascii (RFC 1350, section 1; RFC 764) into a file of this system: CR LF becomes LF, CR NUL becomes CR; a CR before
/// anything else stays, as it came. A pair may be cut by the end of a block, so one decoder serves one transfer.
/// </summary>
public sealed class NetasciiDecoder
{
    private bool _isAfterReturn;

    /// <summary>Decodes a block.</summary>
    /// <param name="source">Bytes of the wire.</param>
    /// <param name="destination">Room for one byte more than the source has.</param>
    /// <returns>How many bytes were written.</returns>
    public int Decode(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        var written = 0;
        while (!source.IsEmpty)
        {
            if (_isAfterReturn)
            {
                _isAfterReturn = false;
                var isPair = source[0] is (byte)'\n' or 0;
                destination[written++] = source[0] == '\n' ? (byte)'\n' : (byte)'\r';
                if (isPair) source = source[1..];
                continue;
            }

            var end = source.IndexOf((byte)'\r');
            var run = end < 0 ? source : source[..end];
            run.CopyTo(destination[written..]);
            written += run.Length;
            if (end < 0) break;
            _isAfterReturn = true;
            source = source[(end + 1)..];
        }

        return written;
    }

    /// <summary>The file is over: a CR that waits for its second byte is one.</summary>
    /// <param name="destination">Room for one byte.</param>
    /// <returns>How many bytes were written.</returns>
    public int Finish(Span<byte> destination)
    {
        if (!_isAfterReturn) return 0;
        _isAfterReturn = false;
        destination[0] = (byte)'\r';
        return 1;
    }
}

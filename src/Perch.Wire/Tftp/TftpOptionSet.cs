using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Perch.Wire.Tftp;

/// <summary>The options of a request, or of the OACK that answers it; null is one that was not said.</summary>
/// <remarks>
/// <code>
/// +-------+---~~---+---+---~~---+---+---~~---+---+---~~---+---+
/// |       | option | 0 | value  | 0 | option | 0 | value  | 0 |      RFC 2347
/// +-------+---~~---+---+---~~---+---+---~~---+---+---~~---+---+
///  what is           blksize       8 to 65464                       RFC 2348
///  before:           timeout       1 to 255 (seconds)               RFC 2349
///  RRQ, WRQ          tsize         0 to 2^63-1 (bytes)              RFC 2349
///  or OACK           windowsize    1 to 65535 (blocks)              RFC 7440
///                    utimeout      10000 to 255000000 (microseconds), tftp-hpa's
/// </code>
/// Names are the same in any case, and values are decimal. What is unknown or cannot be is as if it had not been said: that is
/// how RFC 2347 lets a server refuse one option. A larger block than there is means the largest.
/// </remarks>
public sealed record TftpOptionSet
{
    /// <summary>The block size where none is agreed on (RFC 1350).</summary>
    public const int DefaultBlockSize = 512;

    /// <summary>The smallest block (RFC 2348).</summary>
    public const int MinBlockSize = 8;

    /// <summary>The largest block: what one datagram of IPv4 can carry (RFC 2348).</summary>
    public const int MaxBlockSize = 65464;

    /// <summary>The longest window (RFC 7440).</summary>
    public const int MaxWindowSize = 65535;

    /// <summary>No option.</summary>
    public static TftpOptionSet None { get; } = new();

    /// <summary><c>blksize</c>: bytes of a block.</summary>
    public int? BlockSize { get; init; }

    /// <summary><c>timeout</c>: seconds until a packet is sent again.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary><c>utimeout</c>: the same in microseconds.</summary>
    public int? TimeoutMicroseconds { get; init; }

    /// <summary><c>tsize</c>: bytes of the file on the wire; 0 in a read request asks for it.</summary>
    public long? TransferSize { get; init; }

    /// <summary><c>windowsize</c>: blocks that are sent before an acknowledgement is waited for.</summary>
    public int? WindowSize { get; init; }

    /// <summary>Reads pairs of text to the end, or to an empty name: some boot loaders fill up with zeros.</summary>
    /// <param name="bytes">What follows the mode of a request, or the opcode of an OACK.</param>
    /// <param name="options">What was said.</param>
    /// <param name="fault">What is wrong, where false is returned.</param>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out TftpOptionSet options, out TftpFault fault) =>
        TryParse(bytes, mayEndInPair: false, out options, out fault);

    /// <param name="bytes">The text that follows the mode of a request, or the opcode of an OACK.</param>
    /// <param name="mayEndInPair">
    /// Whether an incomplete pair at the end is as if it had not been sent (RFC 2347). An OACK has none: its peer has accepted it.
    /// </param>
    /// <param name="options">The options that are known and possible.</param>
    /// <param name="fault">The rule that is broken, if false is returned.</param>
    internal static bool TryParse(ReadOnlySpan<byte> bytes, bool mayEndInPair, out TftpOptionSet options, out TftpFault fault)
    {
        (options, fault) = (None, default);
        var seen = 0;
        while (!bytes.IsEmpty)
        {
            if (!TryCut(ref bytes, out var name)) return mayEndInPair || Fail("an option does not end in NUL", out fault);
            if (name.IsEmpty) break;
            if (!TryCut(ref bytes, out var value)) return mayEndInPair || Fail("an option has no value that ends in NUL", out fault);
            var known = Read(name, value, ref options);
            if (known == 0) continue;
            if ((seen & known) != 0)
            {
                fault = new(TftpErrorCode.OptionRefused, "an option is said twice");
                return false;
            }

            seen |= known;
        }

        return true;
    }

    /// <summary>Writes the pairs.</summary>
    /// <param name="destination">Room for them: 128 bytes are enough for all.</param>
    /// <returns>How many bytes were written.</returns>
    public int Write(Span<byte> destination)
    {
        var at = 0;
        Put(destination, ref at, "tsize"u8, TransferSize);
        Put(destination, ref at, "blksize"u8, BlockSize);
        Put(destination, ref at, "timeout"u8, TimeoutSeconds);
        Put(destination, ref at, "utimeout"u8, TimeoutMicroseconds);
        Put(destination, ref at, "windowsize"u8, WindowSize);
        return at;
    }

    /// <summary>Takes the text to the next NUL.</summary>
    internal static bool TryCut(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> text)
    {
        var end = bytes.IndexOf((byte)0);
        text = end < 0 ? default : bytes[..end];
        if (end >= 0) bytes = bytes[(end + 1)..];
        return end >= 0;
    }

    /// <returns>A bit of its own for each known option, 0 for others.</returns>
    private static int Read(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text, ref TftpOptionSet options)
    {
        var value = Number(text);
        if (Is(name, "blksize"u8))
        {
            if (value >= MinBlockSize) options = options with { BlockSize = (int)Math.Min(value, MaxBlockSize) };
            return 1;
        }

        if (Is(name, "timeout"u8))
        {
            if (value is >= 1 and <= 255) options = options with { TimeoutSeconds = (int)value };
            return 2;
        }

        if (Is(name, "tsize"u8))
        {
            if (value >= 0) options = options with { TransferSize = value };
            return 4;
        }

        if (Is(name, "windowsize"u8))
        {
            if (value is >= 1 and <= MaxWindowSize) options = options with { WindowSize = (int)value };
            return 8;
        }

        if (!Is(name, "utimeout"u8)) return 0;
        if (value is >= 10_000 and <= 255_000_000) options = options with { TimeoutMicroseconds = (int)value };
        return 16;
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> name) => Ascii.EqualsIgnoreCase(text, name);

    /// <returns>-1 where it is none that fits.</returns>
    private static long Number(ReadOnlySpan<byte> text) =>
        !text.IsEmpty && !text.ContainsAnyExceptInRange((byte)'0', (byte)'9') && Utf8Parser.TryParse(text, out long value, out var consumed) && consumed == text.Length ? value : -1;

    private static void Put(Span<byte> destination, ref int at, ReadOnlySpan<byte> name, long? value)
    {
        if (value is not { } number) return;
        name.CopyTo(destination[at..]);
        at += name.Length;
        destination[at++] = 0;
        number.TryFormat(destination[at..], out var written, provider: CultureInfo.InvariantCulture);
        at += written;
        destination[at++] = 0;
    }

    private static bool Fail(string text, out TftpFault fault)
    {
        fault = new(TftpErrorCode.IllegalOperation, text);
        return false;
    }
}

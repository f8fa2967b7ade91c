using System.Buffers;
using System.Globalization;
using System.Text;

namespace Perch.Wire;

/// <summary>Makes what a peer sent fit for a log, a terminal and an error page.</summary>
/// <remarks>
/// All bytes and text of a peer that a person may see go through here. The result is one bounded line of visible
/// characters, so a peer can neither forge a log line nor steer a terminal nor reorder what is shown. It can be read back:
/// every backslash of the input is doubled.
/// <list type="table">
/// <item><term><c>\n \r \t \\</c></term><description>the character that C would mean</description></item>
/// <item><term><c>\xNN</c></term><description>one byte: another C0 control, DEL, or a byte that is not UTF-8</description></item>
/// <item><term><c>\uNNNN</c>, <c>\u{NNNNN}</c></term><description>a C1 control, a line or paragraph separator, a format
/// character (bidirectional controls, zero-width characters, the byte order mark), a private-use or unassigned code point,
/// or half a surrogate pair: general categories Cc, Zl, Zp, Cf, Co, Cn and Cs of the Unicode Standard, section 4.5
/// </description></item>
/// </list>
/// Where the bound cuts, <c>…(+N bytes)</c> follows outside of it: N bytes of the input are not shown.
/// </remarks>
public static class PeerText
{
    /// <summary>Shows UTF-8 text.</summary>
    /// <param name="utf8">The bytes of the peer, valid UTF-8 or not.</param>
    /// <param name="maxChars">The bound of the result in characters (UTF-16), the cut mark not counted.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxChars"/> is negative.</exception>
    public static string Escape(ReadOnlySpan<byte> utf8, int maxChars = 256) => Escape(utf8, utf8.Length, maxChars);

    /// <inheritdoc cref="Escape(ReadOnlySpan{byte}, int)"/>
    public static string Escape(in ReadOnlySequence<byte> utf8, int maxChars = 256)
    {
        if (utf8.IsSingleSegment)
            return Escape(utf8.FirstSpan, maxChars);

        // No character of the result stands for more than three bytes: those of four take two characters.
        var needed = Math.Min(utf8.Length, 3L * Math.Max(maxChars, 0));
        return Escape(utf8.Slice(0, needed).ToArray(), utf8.Length, maxChars);
    }

    /// <summary>Shows text that is decoded already; the cut mark counts characters (UTF-16), not bytes.</summary>
    /// <param name="text">The text of the peer.</param>
    /// <param name="maxChars">The bound of the result in characters (UTF-16), the cut mark not counted.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxChars"/> is negative.</exception>
    public static string Escape(string text, int maxChars = 256)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfNegative(maxChars);
        var result = new StringBuilder();
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            var shown = result.Length;
            if (Rune.DecodeFromUtf16(rest, out var rune, out var consumed) == OperationStatus.Done)
                Append(result, rune);
            else
                result.Append($@"\u{(int)rest[0]:X4}");

            if (result.Length > maxChars)
            {
                result.Length = shown;
                break;
            }

            rest = rest[consumed..];
        }

        return Finish(result, rest.Length, "chars");
    }

    /// <summary>Shows bytes as upper-case hexadecimal pairs with a space between them, as in <c>01 02 FF</c>.</summary>
    /// <param name="bytes">The bytes of the peer.</param>
    /// <param name="maxBytes">How many bytes to show at most.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxBytes"/> is negative.</exception>
    public static string Hex(in ReadOnlySequence<byte> bytes, int maxBytes = 64)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        var shown = Math.Min(bytes.Length, maxBytes);
        var result = new StringBuilder();
        foreach (var segment in bytes.Slice(0, shown))
        {
            foreach (var octet in segment.Span)
                result.Append(result.Length == 0 ? "" : " ").Append($"{octet:X2}");
        }

        return Finish(result, bytes.Length - shown, "bytes");
    }

    private static string Escape(ReadOnlySpan<byte> rest, long total, int maxChars)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(maxChars);
        var result = new StringBuilder();
        while (!rest.IsEmpty)
        {
            var shown = result.Length;
            if (Rune.DecodeFromUtf8(rest, out var rune, out var consumed) == OperationStatus.Done)
            {
                Append(result, rune);
            }
            else
            {
                // One byte at a time, so that the bound cuts anywhere: what is left does not become valid by itself.
                result.Append($@"\x{rest[0]:X2}");
                consumed = 1;
            }

            if (result.Length > maxChars)
            {
                result.Length = shown;
                break;
            }

            rest = rest[consumed..];
            total -= consumed;
        }

        return Finish(result, total, "bytes");
    }

    private static string Finish(StringBuilder result, long notShown, string unit) =>
        notShown == 0 ? result.ToString() : result.Append($"…(+{notShown} {unit})").ToString();

    private static void Append(StringBuilder result, Rune rune) => _ = rune.Value switch
    {
        '\n' => result.Append(@"\n"),
        '\r' => result.Append(@"\r"),
        '\t' => result.Append(@"\t"),
        '\\' => result.Append(@"\\"),
        < 0x20 or 0x7F => result.Append($@"\x{rune.Value:X2}"),
        _ when IsVisible(rune) => result.Append(rune),
        <= 0xFFFF => result.Append($@"\u{rune.Value:X4}"),
        _ => result.Append($@"\u{{{rune.Value:X}}}"),
    };

    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}

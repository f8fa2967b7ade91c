using System.Buffers;
using System.Globalization;

namespace Perch.Server.Logging;

/// <summary>
/// Keeps what moves a terminal's cursor, breaks a line or reorders text (C0, DEL, C1, line separators, bidirectional
/// overrides) off the console. Peers' text is escaped where it is logged; this is the second fence, for what was missed.
/// </summary>
internal static class ControlCharacters
{
    private static readonly SearchValues<char> Unsafe = SearchValues.Create(
    [
        .. Enumerable.Range(0, char.MaxValue).Select(code => (char)code).Where(char.IsControl),
        '\u2028', '\u2029',
        '\u202a', '\u202b', '\u202c', '\u202d', '\u202e',
        '\u2066', '\u2067', '\u2068', '\u2069',
    ]);

    public static void WriteEscaped(TextWriter output, ReadOnlySpan<char> text)
    {
        int index;
        while ((index = text.IndexOfAny(Unsafe)) >= 0)
        {
            output.Write(text[..index]);
            output.Write(Escape(text[index]));
            text = text[(index + 1)..];
        }
        output.Write(text);
    }

    private static string Escape(char c) => c switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
    };
}

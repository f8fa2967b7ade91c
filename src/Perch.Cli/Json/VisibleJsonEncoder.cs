using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;

namespace Perch.Cli.Json;

/// <summary>
/// Writes JSON strings in which every visible character stands for itself. Escaped are, beside the quotation mark and the backslash,
/// the characters that <see cref="Perch.Wire.PeerText"/> escapes too: controls (C0, C1, DEL), format characters (bidirectional
/// controls, zero-width characters), line and paragraph separators, private-use and unassigned code points. So no string steers a
/// terminal or reorders what it shows.
/// </summary>
internal sealed class VisibleJsonEncoder : JavaScriptEncoder
{
    /// <summary><c>\uNNNN</c> twice: the two halves of a surrogate pair.</summary>
    public override int MaxOutputCharactersPerInputCharacter => 12;

    public override bool WillEncode(int unicodeScalar) =>
        unicodeScalar is '"' or '\\' || !Rune.TryCreate(unicodeScalar, out var rune) || Rune.GetUnicodeCategory(rune) is
            UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    public override unsafe int FindFirstCharacterToEncode(char* text, int textLength)
    {
        var rest = new ReadOnlySpan<char>(text, textLength);
        for (var index = 0; index < textLength;)
        {
            if (Rune.DecodeFromUtf16(rest[index..], out var rune, out var consumed) != OperationStatus.Done || WillEncode(rune.Value))
                return index;
            index += consumed;
        }

        return -1;
    }

    public override unsafe bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        var text = unicodeScalar switch
        {
            '"' => "\\\"",
            '\\' => @"\\",
            '\n' => @"\n",
            '\r' => @"\r",
            '\t' => @"\t",
            '\b' => @"\b",
            '\f' => @"\f",
            _ => string.Concat(new Rune(unicodeScalar).ToString().Select(unit => $@"\u{(int)unit:X4}")),
        };
        numberOfCharactersWritten = text.TryCopyTo(new(buffer, bufferLength)) ? text.Length : 0;
        return numberOfCharactersWritten > 0;
    }
}

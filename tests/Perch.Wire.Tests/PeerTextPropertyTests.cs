using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Perch.Wire.Tests;

public sealed class PeerTextPropertyTests
{
    private static readonly Gen<byte[]> Piece = Gen.OneOf(
        Gen.Choose(0, 255).Select(value => new[] { (byte)value }),
        Gen.Choose(0, 0x7F).Select(value => new[] { (byte)value }),
        Gen.Elements("é", "€", "😀", "\u202e", "\u009b", "\\", "\n", "\ufeff", "\U000e0001", "…(+1 bytes)")
            .Select(Encoding.UTF8.GetBytes),
        Gen.Choose(0, 0x10F7FF).Select(value => Utf8(new Rune(value < 0xD800 ? value : value + 0x800))));

    private static readonly Gen<byte[]> Input =
        Gen.Choose(0, 20).SelectMany(count => Piece.ArrayOf(count)).Select(pieces => pieces.SelectMany(p => p).ToArray());

    [Property(MaxTest = 3000, QuietOnSuccess = true)]
    public Property Escape_AnyBytes_IsVisibleAndCanBeReadBack() =>
        Prop.ForAll(Arb.From(Input), bytes =>
        {
            var shown = PeerText.Escape(bytes, int.MaxValue);
            AssertVisible(shown);
            Assert.Equal(bytes, Unescape(shown));
        });

    [Property(MaxTest = 3000, QuietOnSuccess = true)]
    public Property Escape_AnyBound_ShowsAsMuchAsFitsAndCountsTheRest() =>
        Prop.ForAll(Arb.From(Input.Zip(Gen.Choose(0, 40))), sample =>
        {
            var (bytes, max) = sample;
            var whole = PeerText.Escape(bytes, int.MaxValue);
            var shown = PeerText.Escape(bytes, max);
            if (whole.Length <= max)
            {
                Assert.Equal(whole, shown);
                return;
            }

            var cut = shown.LastIndexOf('…');
            Assert.InRange(cut, Math.Max(0, max - 9), max);
            Assert.StartsWith(shown[..cut], whole, StringComparison.Ordinal);
            Assert.Equal($"…(+{bytes.Length - Unescape(shown[..cut]).Length} bytes)", shown[cut..]);
        });

    [Property(MaxTest = 3000, QuietOnSuccess = true)]
    public Property Escape_AnySegments_ShowsTheSame() =>
        Prop.ForAll(Arb.From(Input.Zip(Gen.Choose(0, 40)).Zip(Gen.Choose(0, 5).ArrayOf(3))), sample =>
        {
            var ((bytes, max), sizes) = sample;
            var sequence = Bytes.Sequence(Bytes.Chop(bytes, [.. sizes, 1]));
            Assert.Equal(PeerText.Escape(bytes, max), PeerText.Escape(sequence, max));
        });

    [Property(MaxTest = 3000, QuietOnSuccess = true)]
    public Property Escape_AnyString_IsVisibleAndBounded() =>
        Prop.ForAll(
            Arb.From(
                from units in Gen.OneOf(Gen.Choose(0, 0xFFFF), Gen.Choose(0xD800, 0xDFFF), Gen.Choose(0, 0xFF)).ArrayOf(12)
                from max in Gen.Choose(0, 40)
                select (Text: string.Concat(units.Select(unit => (char)unit)), Max: max)),
            sample =>
            {
                var shown = PeerText.Escape(sample.Text, sample.Max);
                AssertVisible(shown);
                var cut = shown.IndexOf("…(+", StringComparison.Ordinal);
                Assert.InRange(cut < 0 ? shown.Length : cut, 0, sample.Max);
            });

    [Fact]
    public void Escape_EveryCodePoint_IsVisibleAndCanBeReadBack()
    {
        for (var value = 0; value <= 0x10FFFF; value++)
        {
            if (value is >= 0xD800 and <= 0xDFFF)
                continue;
            var utf8 = Utf8(new Rune(value));
            var shown = PeerText.Escape(utf8);
            AssertVisible(shown);
            if (!Unescape(shown).AsSpan().SequenceEqual(utf8))
                Assert.Fail($"U+{value:X4} is shown as {shown}");
        }
    }

    private static byte[] Utf8(Rune rune) => Encoding.UTF8.GetBytes(rune.ToString());

    private static void AssertVisible(string shown)
    {
        foreach (var rune in shown.EnumerateRunes())
        {
            // Half a surrogate pair is enumerated as U+FFFD.
            var bad = (rune == Rune.ReplacementChar && !shown.Contains('\ufffd', StringComparison.Ordinal))
                || rune.Value is < 0x20 or (>= 0x7F and < 0xA0) or 0x2028 or 0x2029 or 0x61C or 0xFEFF or 0xAD
                    or (>= 0x200B and <= 0x200F) or (>= 0x202A and <= 0x202E) or (>= 0x2060 and <= 0x206F)
                    or (>= 0xE000 and <= 0xF8FF) or (>= 0xE0000 and <= 0xE007F) or >= 0xF0000
                || (rune.Value & 0xFFFE) == 0xFFFE
                || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned;
            if (bad)
                Assert.Fail($"U+{rune.Value:X4} in the output");
        }
    }

    private static byte[] Unescape(string shown)
    {
        var bytes = new List<byte>();
        for (var i = 0; i < shown.Length;)
        {
            if (shown[i] != '\\')
            {
                var rune = Rune.GetRuneAt(shown, i);
                bytes.AddRange(Utf8(rune));
                i += rune.Utf16SequenceLength;
                continue;
            }

            var close = shown.IndexOf('}', i);
            var (value, length) = shown[i + 1] switch
            {
                'n' => ('\n', 2),
                'r' => ('\r', 2),
                't' => ('\t', 2),
                '\\' => ('\\', 2),
                'x' => (Number(shown[(i + 2)..(i + 4)]), 4),
                'u' when shown[i + 2] == '{' => (Number(shown[(i + 3)..close]), close + 1 - i),
                'u' => (Number(shown[(i + 2)..(i + 6)]), 6),
                _ => throw new FormatException(shown),
            };
            if (shown[i + 1] == 'x')
                bytes.Add((byte)value);
            else
                bytes.AddRange(Utf8(new Rune(value)));
            i += length;
        }

        return [.. bytes];
    }

    private static int Number(string hex) => int.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}

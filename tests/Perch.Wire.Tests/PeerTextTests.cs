using System.Buffers;
using System.Text;

namespace Perch.Wire.Tests;

public sealed class PeerTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("GET / ~", "GET / ~")]
    [InlineData("ä€漢😀é", "ä€漢😀é")]
    [InlineData("a\nb\r\tc\\n", @"a\nb\r\tc\\n")]
    [InlineData("\0\a\b\v\f\u001f\u007f", @"\x00\x07\x08\x0B\x0C\x1F\x7F")]
    [InlineData("\u001b[31mred\u001b[0m", @"\x1B[31mred\x1B[0m")]
    [InlineData("\u001b]0;title\a", @"\x1B]0;title\x07")]
    [InlineData("\u009b2J\u0080\u0085\u009f", @"\u009B2J\u0080\u0085\u009F")]
    [InlineData("a\u2028b\u2029c", @"a\u2028b\u2029c")]
    [InlineData("\u202a\u202b\u202c\u202d\u202e", @"\u202A\u202B\u202C\u202D\u202E")]
    [InlineData("\u2066\u2067\u2068\u2069\u200e\u200f\u061c", @"\u2066\u2067\u2068\u2069\u200E\u200F\u061C")]
    [InlineData("a\u200b\u200c\u200d\u2060\ufeffb\u00ad", @"a\u200B\u200C\u200D\u2060\uFEFFb\u00AD")]
    [InlineData("\ue000\uf8ff\uffff\u0378", @"\uE000\uF8FF\uFFFF\u0378")]
    [InlineData("\U000e0001\U000f0000\U0010ffff\U0001ffff", @"\u{E0001}\u{F0000}\u{10FFFF}\u{1FFFF}")]
    public void Escape_Text_ShowsOnlyVisibleCharacters(string text, string expected)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Assert.Equal(expected, PeerText.Escape(utf8));
        Assert.Equal(expected, PeerText.Escape(new ReadOnlySequence<byte>(utf8)));
        Assert.Equal(expected, PeerText.Escape(Bytes.Sequence(Bytes.Chop(utf8, 0, 1))));
        Assert.Equal(expected, PeerText.Escape(text));
    }

    [Theory]
    [InlineData("\u0080", @"\x80")]
    [InlineData("a\u00ffb", @"a\xFFb")]
    [InlineData("\u00c0\u00af", @"\xC0\xAF")]
    [InlineData("\u00e2\u0082", @"\xE2\x82")]
    [InlineData("\u00e2\u0082A", @"\xE2\x82A")]
    [InlineData("\u00ed\u00a0\u0080", @"\xED\xA0\x80")]
    [InlineData("\u00f0\u009f\u0098", @"\xF0\x9F\x98")]
    [InlineData("\u00f4\u0090\u0080\u0080", @"\xF4\x90\x80\x80")]
    [InlineData("\u00e2\u00e2\u0082\u00ac", @"\xE2€")]
    public void Escape_InvalidUtf8_ShowsTheBytes(string bytes, string expected) =>
        Assert.Equal(expected, PeerText.Escape(Bytes.Of(bytes)));

    [Fact]
    public void Escape_Utf8CutAtEveryOffset_ShowsTheWholeCharactersAndTheBytesLeft()
    {
        var utf8 = "é€😀"u8.ToArray();
        string[] expected =
        [
            "", @"\xC3", "é", @"é\xE2", @"é\xE2\x82", "é€", @"é€\xF0", @"é€\xF0\x9F", @"é€\xF0\x9F\x98", "é€😀",
        ];
        for (var length = 0; length <= utf8.Length; length++)
            Assert.Equal(expected[length], PeerText.Escape(utf8.AsSpan(0, length)));
    }

    // Not a theory: an attribute keeps its text as UTF-8, which has no lone surrogates.
    [Fact]
    public void Escape_LoneSurrogate_IsShownAsNumber()
    {
        Assert.Equal(@"\uD800", PeerText.Escape("\ud800"));
        Assert.Equal(@"a\uDC00b", PeerText.Escape("a\udc00b"));
        Assert.Equal(@"\uD83D😀\uDE00", PeerText.Escape("\ud83d\ud83d\ude00\ude00"));
    }

    [Theory]
    [InlineData("abc", 3, "abc", "abc")]
    [InlineData("abcd", 3, "abc…(+1 bytes)", "abc…(+1 chars)")]
    [InlineData("abc", 0, "…(+3 bytes)", "…(+3 chars)")]
    [InlineData("", 0, "", "")]
    [InlineData("ab\n", 4, @"ab\n", @"ab\n")]
    [InlineData("ab\nc", 3, "ab…(+2 bytes)", "ab…(+2 chars)")]
    [InlineData("a😀", 3, "a😀", "a😀")]
    [InlineData("a😀", 2, "a…(+4 bytes)", "a…(+2 chars)")]
    [InlineData("€€€€€€", 5, "€€€€€…(+3 bytes)", "€€€€€…(+1 chars)")]
    [InlineData("€€€€€😀", 6, "€€€€€…(+4 bytes)", "€€€€€…(+2 chars)")]
    [InlineData("\U000e0001", 9, @"\u{E0001}", @"\u{E0001}")]
    [InlineData("\U000e0001", 8, "…(+4 bytes)", "…(+2 chars)")]
    public void Escape_Bound_CutsBetweenCharactersAndCountsTheRest(
        string text, int maxChars, string ofBytes, string ofText)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Assert.Equal(ofBytes, PeerText.Escape(utf8, maxChars));
        Assert.Equal(ofBytes, PeerText.Escape(Bytes.Sequence(Bytes.Chop(utf8, 1)), maxChars));
        Assert.Equal(ofText, PeerText.Escape(text, maxChars));
    }

    [Fact]
    public void Escape_Default_ShowsAtMost256Characters()
    {
        Assert.Equal(new string('a', 256) + "…(+44 bytes)", PeerText.Escape(Bytes.Of(new string('a', 300))));
        Assert.Equal(new string('a', 256) + "…(+44 chars)", PeerText.Escape(new string('a', 300)));
    }

    [Fact]
    public void Escape_HugeInput_TouchesOnlyWhatIsShown()
    {
        var bytes = new byte[1 << 20];
        var sequence = Bytes.Sequence(bytes, bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var ofSpan = PeerText.Escape(bytes, 8);
        var ofSequence = PeerText.Escape(sequence, 8);
        var hex = PeerText.Hex(sequence, 2);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16_384);
        Assert.Equal(@"\x00\x00…(+1048574 bytes)", ofSpan);
        Assert.Equal(@"\x00\x00…(+2097150 bytes)", ofSequence);
        Assert.Equal("00 00…(+2097150 bytes)", hex);
    }

    [Fact]
    public void Escape_NegativeBound_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => PeerText.Escape("a"u8, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PeerText.Escape("a", -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PeerText.Escape(Bytes.Sequence([1], [2]), -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PeerText.Hex(Bytes.Sequence([1], [2]), -1));
    }

    [Theory]
    [InlineData("", 4, "")]
    [InlineData("\u0001", 4, "01")]
    [InlineData("\u0001\u0002\u00ab\u00ff", 4, "01 02 AB FF")]
    [InlineData("\u0001\u0002\u00ab\u00ff\0", 4, "01 02 AB FF…(+1 bytes)")]
    [InlineData("ab", 0, "…(+2 bytes)")]
    public void Hex_Bytes_ShowsPairsUpToTheBound(string bytes, int maxBytes, string expected)
    {
        Assert.Equal(expected, PeerText.Hex(new ReadOnlySequence<byte>(Bytes.Of(bytes)), maxBytes));
        Assert.Equal(expected, PeerText.Hex(Bytes.Sequence(Bytes.Chop(Bytes.Of(bytes), 0, 1)), maxBytes));
    }

    [Fact]
    public void Hex_Default_ShowsAtMost64Bytes() =>
        Assert.Equal(string.Join(' ', Enumerable.Repeat("00", 64)) + "…(+6 bytes)", PeerText.Hex(new(new byte[70])));
}

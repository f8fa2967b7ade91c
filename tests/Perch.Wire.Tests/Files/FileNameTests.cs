using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Perch.Wire.Files;

namespace Perch.Wire.Tests.Files;

public sealed class FileNameTests
{
    /// <summary>The longest segment in Japanese: 85 characters of three bytes.</summary>
    private static readonly string Longest = new('写', FileName.MaxSegmentBytes / 3);

    public static TheoryData<string> Good => new(
        "a", "photo.jpg", "photos/2026/夏.jpg", "ファイル", "a b", "a..b", "a.", "x/y..", "-rf", "~", "$(id)", "a;b", "CON", "nul.txt", "A", "%2e%2e",
        "%2e%2e/%2e%2e/etc/passwd", "..%2f".TrimStart('.'), "‥", "．．", "e\u0301", "é", "😀", "a\u200Db", "C:x", "*?\"<>|", " a", "a ", "https:", Longest, new string('a', 255),
        string.Join('/', Enumerable.Repeat("a", 32)), string.Join('/', Enumerable.Repeat(new string('a', 255), 4)));

    public static TheoryData<string, string> Bad => new()
    {
        { "", "a name is not empty" },
        { ".", "dot" },
        { "..", "dot" },
        { "../etc/passwd", "dot" },
        { "a/../b", "dot" },
        { "a/..", "dot" },
        { "a/./b", "dot" },
        { ".perch/lock", "dot" },
        { ".PERCH/lock", "dot" },
        { "a/.hidden", "dot" },
        { "...", "dot" },
        { "/etc/passwd", "empty segment" },
        { "//a", "empty segment" },
        { "a//b", "empty segment" },
        { "a/", "empty segment" },
        { "/", "empty segment" },
        { "..\\..\\a", "backslash" },
        { "a\\b", "backslash" },
        { "C:\\x", "backslash" },
        { "a\0", "control" },
        { "a\0.jpg", "control" },
        { "\0", "control" },
        { "a\nb", "control" },
        { "a\rb", "control" },
        { "a\tb", "control" },
        { "\u001b[2J", "control" },
        { "a\u007F", "control" },
        { "a\u0085b", "control" },
        { "a\u009Bb", "control" },
        { "a\u2028b", "control" },
        { "a\u2029b", "control" },
        { "photo\u202Egpj.exe", "control" },
        { "a\u2066b", "control" },
        { new string('a', 256), "255 bytes" },
        { new string('a', 300), "255 bytes" },
        { "a/" + new string('写', 86), "255 bytes" },
        { string.Join('/', Enumerable.Repeat("a", 33)), "32 segments" },
        { string.Join('/', Enumerable.Repeat(new string('a', 205), 5)), "1024 bytes" },
        { new string('a', 1025), "1024 bytes" },
    };

    public static TheoryData<byte[]> NotUtf8 => new(
        [0xC0, 0xAE, 0xC0, 0xAE, 0x2F], // overlong ../
        [0x2E, 0xC0, 0xAE], // half of it
        [0xE0, 0x80, 0xAE], // overlong in three
        [0xF0, 0x80, 0x80, 0xAF], // overlong slash in four
        [0xC1, 0x9C], // overlong backslash
        [0xC0, 0x80], // overlong NUL
        [0xED, 0xA0, 0x80], // a surrogate
        [0xF4, 0x90, 0x80, 0x80], // past U+10FFFF
        [0x61, 0xFF],
        [0xE5, 0x86]);

    [Theory]
    [MemberData(nameof(Good))]
    public void TryParse_GoodName_KeepsItToTheByte(string text)
    {
        Assert.True(FileName.TryParse(Encoding.UTF8.GetBytes(text), out var name, out var fault));
        Assert.Equal((text, null), (name.Value, fault));
        Assert.True(FileName.TryParse(text, out var same, out _));
        Assert.Equal(name, same);
        Assert.Equal(text, string.Join('/', name.Segments()));
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void TryParse_BadName_NamesTheRule(string text, string rule)
    {
        Assert.False(FileName.TryParse(text, out var name, out var fault));
        Assert.Null(name);
        Assert.Contains(rule, fault, StringComparison.Ordinal);
        Assert.False(FileName.TryParse(Encoding.UTF8.GetBytes(text), out _, out var same));
        Assert.Equal(fault, same);
    }

    [Fact]
    public void TryParse_HalfASurrogatePair_IsRefused()
    {
        // Not a theory: the runner would mend them.
        foreach (var text in (string[])["\uD800", "a\uDC00/b", "\uDE00\uD83D"])
        {
            Assert.False(FileName.TryParse(text, out _, out var fault));
            Assert.Equal("a name is valid UTF-8", fault);
        }
    }

    [Theory]
    [MemberData(nameof(NotUtf8))]
    public void TryParse_NotUtf8_IsRefused(byte[] name)
    {
        Assert.False(FileName.TryParse(name, out _, out var fault));
        Assert.Contains("UTF-8", fault, StringComparison.Ordinal);
        Assert.False(FileName.TryParsePrefix(name, out var prefix, out _));
        Assert.Empty(prefix);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("a", true)]
    [InlineData("a/", true)]
    [InlineData("a/b", true)]
    [InlineData(".", false)]
    [InlineData("a/.", false)]
    [InlineData("a/../", false)]
    [InlineData("/", false)]
    [InlineData("a//", false)]
    [InlineData("a\\", false)]
    [InlineData("a\0", false)]
    public void TryParsePrefix_Text_IsOneWhereANameCanBeginSo(string text, bool expected)
    {
        Assert.Equal(expected, FileName.TryParsePrefix(text, out var prefix, out var fault));
        Assert.Equal(expected ? text : "", prefix);
        Assert.Equal(expected, fault is null);
        Assert.Equal(expected, FileName.TryParse(text + "x", out _, out _));
    }

    [Property(MaxTest = 5000, QuietOnSuccess = true)]
    public Property TryParse_RandomText_ReachesNothingOutside() =>
        Prop.ForAll(Arb.From(Gen.Elements([.. "../../a\\\0 %写\uD83D\uDE00\n"]).ArrayOf().Select(c => new string(c))), text =>
        {
            if (!FileName.TryParse(text, out var name, out _)) return;
            var full = Path.GetFullPath(Path.Combine("/root/of/files", name.Value));
            Assert.Equal("/root/of/files/" + name.Value, full);
            Assert.DoesNotContain(name.Segments(), segment => segment.Length == 0 || segment[0] == '.');
        });

    [Property(MaxTest = 5000, QuietOnSuccess = true)]
    public Property Compare_AnyTwo_IsTheOrderOfTheirBytes() =>
        Prop.ForAll(Arb.From(Gen.Elements('a', 'b', '/', '-', '0', 'é', '写', '\uE000', '\uFFFD').ArrayOf(3).SelectMany(l =>
            Gen.Elements("", "😀", "a", "𐀀").SelectMany(m => Gen.Elements('a', '\uFFFD', '写').ArrayOf(2).Select(r => new string(l) + m + new string(r)))).Two()), pair =>
        {
            var (left, right) = pair;
            var expected = Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right));
            Assert.Equal(Math.Sign(expected), Math.Sign(FileName.Compare(left, right)));
        });

    [Fact]
    public void Operators_TwoNames_FollowTheOrder()
    {
        var (a, b) = (Name("a"), Name("b"));
        Assert.True(a < b && b > a && a <= b && b >= a && a != b && a == Name("a") && Name("a").GetHashCode() == a.GetHashCode());
        Assert.False(a == Name("A"));
    }

    private static FileName Name(string text)
    {
        Assert.True(FileName.TryParse(text, out var name, out _));
        return name;
    }
}

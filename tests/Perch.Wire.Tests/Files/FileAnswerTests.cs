using System.Buffers;
using System.Text;
using Perch.Wire.Files;

namespace Perch.Wire.Tests.Files;

public sealed class FileAnswerTests
{
    private static readonly string Hash = new('a', 64);

    public static TheoryData<string, FileAnswer> Valid => new()
    {
        { "OK", new() { IsOk = true } },
        { $"OK 3 sha256={Hash}", new() { IsOk = true, Length = 3, Sha256 = Hash } },
        { $"OK 2 sha256={Hash} total=9", new() { IsOk = true, Length = 2, Sha256 = Hash, Total = 9 } },
        { "OK partial=12", new() { IsOk = true, Partial = 12 } },
        { $"OK 3 sha256={Hash} modified=2026-11-20T20:09:58.123456Z partial=5", new() { IsOk = true, Length = 3, Sha256 = Hash, Modified = new(2026, 11, 20, 20, 9, 58, 123, 456, TimeSpan.Zero), Partial = 5 } },
        { "OK 1 color=blue", new() { IsOk = true, Length = 1 } },
        { "ERR not-found there is no file", new() { IsOk = false, Code = "not-found", Text = "there is no file" } },
        { "ERR full", new() { IsOk = false, Code = "full" } },
    };

    [Theory]
    [MemberData(nameof(Valid))]
    public void Parse_OfAnAnswer_ReadsIt(string line, FileAnswer answer) => Assert.Equal(answer, FileAnswer.Parse(line));

    [Theory]
    [InlineData("")]
    [InlineData("ok 1")]
    [InlineData("HTTP/1.1 200 OK")]
    [InlineData("OK -1")]
    [InlineData("OK 9223372036854775808")]
    [InlineData("OK 1 2")]
    [InlineData("OK 1 sha256=abc")]
    [InlineData("OK partial=-1")]
    [InlineData("OK 1 modified=yesterday")]
    [InlineData("ERR")]
    [InlineData("ERR  text")]
    [InlineData("ERR \u001b[2J text")]
    public void Parse_OfSomethingElse_IsMalformed(string line) => Assert.Equal("malformed", Assert.Throws<ProtocolException>(() => FileAnswer.Parse(line)).Code);

    [Fact]
    public void TryRead_CutAnywhere_WaitsForTheLine()
    {
        var bytes = Encoding.UTF8.GetBytes($"OK 3 sha256={Hash}\r\nabc");
        for (var cut = 0; cut < bytes.Length - 3; cut++)
        {
            long scanned = 0;
            var part = new ReadOnlySequence<byte>(bytes, 0, cut);
            var isThere = FileAnswer.TryRead(ref part, ref scanned, out var answer);
            var whole = new ReadOnlySequence<byte>(bytes);
            if (!isThere) isThere = FileAnswer.TryRead(ref whole, ref scanned, out answer);
            Assert.True(isThere);
            Assert.Equal(3, answer!.Length);
            Assert.Equal("abc", Encoding.UTF8.GetString(whole));
        }
    }

    [Fact]
    public void TryRead_OfAnEndlessLine_IsTooLong()
    {
        long scanned = 0;
        var endless = new ReadOnlySequence<byte>(new byte[FileAnswer.MaxLineBytes + 2]);
        Assert.Equal("too-long", Assert.Throws<ProtocolException>(() => FileAnswer.TryRead(ref endless, ref scanned, out _)).Code);
    }

    [Fact]
    public void ListedFile_OfALine_ReadsItsNameWithSpaces()
    {
        var file = ListedFile.Parse($"12 {Hash} 2026-11-20T20:09:58.5Z photos/my cat.jpg");
        Assert.Equal(("photos/my cat.jpg", 12L, Hash), (file.Name.Value, file.Length, file.Sha256));
    }

    [Theory]
    [InlineData("12 x 2026-11-20T20:09:58Z a", "malformed")]
    [InlineData("12", "malformed")]
    [InlineData("12 # 2026-11-20T20:09:58Z ../../etc/passwd", "name")]
    [InlineData("12 # 2026-11-20T20:09:58Z /etc/passwd", "name")]
    [InlineData("12 # 2026-11-20T20:09:58Z .bashrc", "name")]
    [InlineData("12 # 2026-11-20T20:09:58Z a\u001b[2J", "name")]
    public void ListedFile_OfAHostileLine_IsRefused(string line, string code) =>
        Assert.Equal(code, Assert.Throws<ProtocolException>(() => ListedFile.Parse(line.Replace("#", Hash, StringComparison.Ordinal))).Code);
}

using System.Buffers;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class FrameReaderTests
{
    private const int Max = 8;

    public static TheoryData<Framing, string, string[]> Valid => new()
    {
        { Framing.Line, "", [] },
        { Framing.Line, "\n", [""] },
        { Framing.Line, "\r\n", [""] },
        { Framing.Line, "a\n", ["a"] },
        { Framing.Line, "a\r\n", ["a"] },
        { Framing.Line, "a\r\r\n", ["a\r"] },
        { Framing.Line, "\r\r\n", ["\r"] },
        { Framing.Line, "a\rb\n\rc\n", ["a\rb", "\rc"] },
        { Framing.Line, "one\r\n\ntwo\n\r\nthree\r\n", ["one", "", "two", "", "three"] },
        { Framing.Line, "\0\u00ff\n", ["\0\u00ff"] },
        { Framing.Line, "12345678\n12345678\r\n1234567\r\r\n", ["12345678", "12345678", "1234567\r"] },
        { Framing.Length, "", [] },
        { Framing.Length, "\0\0\0\0", [""] },
        { Framing.Length, "\0\0\0\u0001a", ["a"] },
        { Framing.Length, "\0\0\0\u0002\r\n\0\0\0\0\0\0\0\u0003abc", ["\r\n", "", "abc"] },
        { Framing.Length, "\0\0\0\u000812345678\0\0\0\u0004\0\0\0\u0001", ["12345678", "\0\0\0\u0001"] },
        { Framing.Syslog, "", [] },
        { Framing.Syslog, "5 <ello", ["<ello"] },
        { Framing.Syslog, "5 <ello3 <bc", ["<ello", "<bc"] },
        { Framing.Syslog, "<1>a\n<2>b\r\n", ["<1>a", "<2>b"] },
        { Framing.Syslog, "5 <ello\n3 <bc\r\n<1>x\n4 <2>y<3>z\n", ["<ello", "<bc", "<1>x", "<2>y", "<3>z"] },
        { Framing.Syslog, "\n\r\n\n\0\0", [] },
        { Framing.Syslog, "\n\0\n1 <", ["<"] },
        { Framing.Syslog, "2 <\n2 <\0", ["<\n", "<\0"] },
        { Framing.Syslog, "0 <\n 1 <\n01 <\n", ["0 <", " 1 <", "01 <"] },
        { Framing.Syslog, "a\rb\n\r\r\nc\0d\n", ["a\rb", "\r", "c", "d"] },
        { Framing.Syslog, "<1>a\0<2>b\0\n<3>c\r\0", ["<1>a", "<2>b", "<3>c\r"] },
        { Framing.Syslog, "8 <2345678<2345678\r\n<2345678\n", ["<2345678", "<2345678", "<2345678"] },
        { Framing.Syslog, "5 hello\n3 abc\n", ["5 hello", "3 abc"] },
        { Framing.Syslog, "1x\n1\n1 \n12\0<1>a\n", ["1x", "1", "1 ", "12", "<1>a"] },
        { Framing.Syslog, "<1>a\n2024-1 x\n<1>b\n", ["<1>a", "2024-1 x", "<1>b"] },
        { Framing.Syslog, "99999999\n9999999 \n", ["99999999", "9999999 "] },
    };

    /// <summary>A stream, the messages before its fault, and the number of bytes after which the fault is certain.</summary>
    public static TheoryData<Framing, string, string[], string, int> Invalid => new()
    {
        { Framing.Line, "123456789", [], "too-long", 9 },
        { Framing.Line, "a\n123456789\n", ["a"], "too-long", 11 },
        { Framing.Line, "12345678\rx\n", [], "too-long", 10 },
        { Framing.Line, "12345678\r\r\n", [], "too-long", 10 },
        { Framing.Line, "1234567\r\r\r\n", [], "too-long", 10 },
        { Framing.Length, "\0\0\0\u0009", [], "too-long", 4 },
        { Framing.Length, "\0\0\u0001\0abc", [], "too-long", 4 },
        { Framing.Length, "\u007f\u00ff\u00ff\u00ff", [], "too-long", 4 },
        { Framing.Length, "\u0080\0\0\0", [], "too-long", 4 },
        { Framing.Length, "\0\0\0\0\u00ff\u00ff\u00ff\u00ff", [""], "too-long", 8 },
        { Framing.Syslog, "9 <23456789", [], "too-long", 3 },
        { Framing.Syslog, "10 <234567890", [], "too-long", 4 },
        { Framing.Syslog, "99999999999999999999999 <", [], "too-long", 9 },
        { Framing.Syslog, "8 a234567\0", [], "too-long", 9 },
        { Framing.Syslog, "1 <<23456789\n", ["<"], "too-long", 12 },
        { Framing.Syslog, "1 <12345678\r\0", ["<"], "too-long", 13 },
    };

    [Theory]
    [MemberData(nameof(Valid))]
    public void TryRead_ValidStreamAtOnce_GivesItsMessages(Framing framing, string stream, string[] messages) =>
        Assert.Equal(new Frames(messages, null, ""), Frames.Read(framing, Max, [Bytes.Of(stream)]));

    [Theory]
    [MemberData(nameof(Valid))]
    public void TryRead_ValidStreamSplitAtEveryOffset_GivesTheSameMessages(
        Framing framing, string stream, string[] messages)
    {
        var bytes = Bytes.Of(stream);
        var expected = new Frames(messages, null, "");
        for (var at = 0; at <= bytes.Length; at++)
        {
            byte[][] parts = [bytes[..at], bytes[at..]];
            Assert.Equal(expected, Frames.Read(framing, Max, parts));
            Assert.Equal(expected, Frames.ReadAtOnce(framing, Max, parts));
        }
    }

    [Theory]
    [MemberData(nameof(Valid))]
    public void TryRead_ValidStreamByteByByte_GivesTheSameMessages(Framing framing, string stream, string[] messages)
    {
        var expected = new Frames(messages, null, "");
        Assert.Equal(expected, Frames.Read(framing, Max, Bytes.Chop(Bytes.Of(stream), 1)));
        Assert.Equal(expected, Frames.Read(framing, Max, Bytes.Chop(Bytes.Of(stream), 0, 1)));
        Assert.Equal(expected, Frames.ReadAtOnce(framing, Max, Bytes.Chop(Bytes.Of(stream), 0, 1)));
    }

    [Theory]
    [MemberData(nameof(Invalid))]
    public void TryRead_InvalidStream_ThrowsWithTheFirstByteThatMakesItCertain(
        Framing framing, string stream, string[] messages, string code, int certain)
    {
        var bytes = Bytes.Of(stream);
        for (var length = 0; length <= bytes.Length; length++)
        {
            var expected = length < certain ? null : code;
            Assert.Equal(expected, Frames.Read(framing, Max, [bytes[..length]]).Code);
            Assert.Equal(expected, Frames.Read(framing, Max, Bytes.Chop(bytes[..length], 1)).Code);
        }

        for (var at = 0; at <= bytes.Length; at++)
            Assert.Equal(new Frames(messages, code, ""), Frames.ReadAtOnce(framing, Max, [bytes[..at], bytes[at..]]));
    }

    [Theory]
    [InlineData(Framing.Line)]
    [InlineData(Framing.Syslog)]
    public void TryRead_LineTrickles_SearchesOnlyWhatIsNew(Framing framing)
    {
        var reader = new FrameReader(framing, Max);
        var arrived = new ReadOnlySequence<byte>(Bytes.Of("abc"));
        Assert.False(reader.TryRead(ref arrived, out _));

        // The reader has seen three bytes without an LF; were it to look again, it would find this one.
        var tampered = new ReadOnlySequence<byte>(Bytes.Of("a\ncd"));
        Assert.False(reader.TryRead(ref tampered, out _));

        var complete = new ReadOnlySequence<byte>(Bytes.Of("abcd\nab\n"));
        Assert.True(reader.TryRead(ref complete, out var message));
        Assert.Equal("abcd", Bytes.Text(message));
        Assert.True(reader.TryRead(ref complete, out message));
        Assert.Equal("ab", Bytes.Text(message));
    }

    [Theory]
    [InlineData(Framing.Chunk, "abc")]
    [InlineData(Framing.Line, "a\r\n\nbcd\nef")]
    [InlineData(Framing.Length, "\0\0\0\0\0\0\0\u0002ab\0\0\0")]
    [InlineData(Framing.Syslog, "1 <\n<1>\r\n\n3 <bc1 a\n<2>\0<3>")]
    public void TryRead_AnyFraming_AllocatesNothing(Framing framing, string stream)
    {
        var whole = new ReadOnlySequence<byte>(Bytes.Of(stream));
        var chopped = Bytes.Sequence(Bytes.Chop(Bytes.Of(stream), 1, 2));
        var messages = Drain(framing, whole) + Drain(framing, chopped);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var again = Drain(framing, whole) + Drain(framing, chopped);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(messages, again);

        static int Drain(Framing framing, ReadOnlySequence<byte> buffer)
        {
            var reader = new FrameReader(framing, Max);
            var count = 0;
            while (reader.TryRead(ref buffer, out _))
                count++;
            return count;
        }
    }

    [Theory]
    [InlineData(Framing.Line, "a")]
    [InlineData(Framing.Line, "\r")]
    [InlineData(Framing.Length, "\0")]
    [InlineData(Framing.Length, "\0\0\0\u0001")]
    [InlineData(Framing.Syslog, "5 <")]
    [InlineData(Framing.Syslog, "5 <ell")]
    public void EnsureComplete_UnreadBytes_Throws(Framing framing, string stream)
    {
        var reader = new FrameReader(framing, Max);
        var rest = new ReadOnlySequence<byte>(Bytes.Of(stream));
        Assert.False(reader.TryRead(ref rest, isCompleted: true, out _));
        Assert.Equal("truncated", Assert.Throws<ProtocolException>(() => reader.EnsureComplete(rest)).Code);
    }

    [Theory]
    [InlineData("<1>a", new[] { "<1>a" }, "")]
    [InlineData("<1>a\n<2>b\r", new[] { "<1>a", "<2>b" }, "")]
    [InlineData("<1>a\0<2>b\0", new[] { "<1>a", "<2>b" }, "")]
    [InlineData("<1>a\n\r", new[] { "<1>a" }, "")]
    [InlineData("<2345678\r", new[] { "<2345678" }, "")]
    [InlineData("4 <1>ab", new[] { "<1>a", "b" }, "")]
    [InlineData("5 hel", new[] { "5 hel" }, "")]
    [InlineData("5", new[] { "5" }, "")]
    [InlineData("5 ", new[] { "5 " }, "")]
    [InlineData("<1>a\n5 <ell", new[] { "<1>a" }, "5 <ell")]
    [InlineData("5 <", new string[0], "5 <")]
    public void TryRead_SyslogAtTheEndSplitAtEveryOffset_TakesAllButACountedPart(string stream, string[] messages, string rest)
    {
        var bytes = Bytes.Of(stream);
        var expected = new Frames(messages, null, rest);
        for (var at = 0; at <= bytes.Length; at++)
        {
            byte[][] parts = [bytes[..at], bytes[at..], []];
            Assert.Equal(expected, Frames.Read(Framing.Syslog, Max, parts, isCompleted: true));
            Assert.Equal(expected, Frames.ReadAtOnce(Framing.Syslog, Max, parts, isCompleted: true));
        }
    }

    [Fact]
    public void TryRead_SyslogAtTheEndOverTheBound_Throws()
    {
        var reader = new FrameReader(Framing.Syslog, 1);
        var rest = new ReadOnlySequence<byte>(Bytes.Of("1 "));
        Assert.False(reader.TryRead(ref rest, out _));
        Assert.Equal("too-long", Assert.Throws<ProtocolException>(() => reader.TryRead(ref rest, isCompleted: true, out _)).Code);
    }

    [Theory]
    [InlineData(Framing.Chunk, "abc")]
    [InlineData(Framing.Line, "a\n")]
    [InlineData(Framing.Length, "\0\0\0\0")]
    [InlineData(Framing.Syslog, "1 <\r\n")]
    public void EnsureComplete_EverythingRead_Passes(Framing framing, string stream)
    {
        var reader = new FrameReader(framing, Max);
        var rest = new ReadOnlySequence<byte>(Bytes.Of(stream));
        while (reader.TryRead(ref rest, out _))
            continue;
        reader.EnsureComplete(rest);
    }

    [Fact]
    public void Constructor_UnknownFramingOrNoBound_Throws()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new FrameReader((Framing)4, Max));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FrameReader((Framing)(-1), Max));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FrameReader(Framing.Line, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new FrameReader(Framing.Line, -1));
    }
}

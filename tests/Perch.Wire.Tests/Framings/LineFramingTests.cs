using System.Buffers;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class LineFramingTests
{
    [Fact]
    public void TryRead_MegabyteTrickles_LooksAtEachByteOnce()
    {
        const int Length = 1 << 20;
        var line = new byte[Length + 1];
        line.AsSpan(0, Length).Fill((byte)'a');
        line[Length] = (byte)'\n';

        long scanned = 0;
        long work = 0;
        ReadOnlySequence<byte> buffer;
        for (var arrived = 1; arrived <= Length; arrived++)
        {
            buffer = new ReadOnlySequence<byte>(line, 0, arrived);
            work += arrived - scanned;
            Assert.False(LineFraming.TryRead(ref buffer, Length, ref scanned, out _));
        }

        Assert.Equal(Length, work);
        Assert.Equal(Length, scanned);
        buffer = new ReadOnlySequence<byte>(line);
        Assert.True(LineFraming.TryRead(ref buffer, Length, ref scanned, out var message));
        Assert.Equal(Length, message.Length);
        Assert.Equal(0, scanned);
    }

    [Fact]
    public void TryRead_ScannedBytes_AreNotLookedAtAgain()
    {
        foreach (var buffer in new[] { new(Bytes.Of("a\nb\nc")), Bytes.Sequence(Bytes.Chop(Bytes.Of("a\nb\nc"), 1)) })
        {
            long scanned = 2;
            var unread = buffer;
            Assert.True(LineFraming.TryRead(ref unread, 8, ref scanned, out var message));
            Assert.Equal("a\nb", Bytes.Text(message));
            Assert.Equal("c", Bytes.Text(unread));
        }
    }

    [Fact]
    public void TryRead_WithoutScanned_ReadsAllLines()
    {
        var buffer = new ReadOnlySequence<byte>(Bytes.Of("a\r\nb\nc"));
        Assert.True(LineFraming.TryRead(ref buffer, 1, out var message));
        Assert.Equal("a", Bytes.Text(message));
        Assert.True(LineFraming.TryRead(ref buffer, 1, out message));
        Assert.Equal("b", Bytes.Text(message));
        Assert.False(LineFraming.TryRead(ref buffer, 1, out _));
        Assert.Equal("c", Bytes.Text(buffer));
    }

    [Fact]
    public void TryRead_LargestBound_DoesNotOverflow()
    {
        var buffer = new ReadOnlySequence<byte>(Bytes.Of("abc\r"));
        Assert.False(LineFraming.TryRead(ref buffer, int.MaxValue, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => LineFraming.TryRead(ref buffer, -1, out _));
    }

    [Fact]
    public void TryRead_BoundOfZero_TakesEmptyLinesOnly()
    {
        var buffer = new ReadOnlySequence<byte>(Bytes.Of("\r\n\n\rx"));
        Assert.True(LineFraming.TryRead(ref buffer, 0, out _));
        Assert.True(LineFraming.TryRead(ref buffer, 0, out _));
        Assert.Equal("too-long", Assert.Throws<ProtocolException>(() => LineFraming.TryRead(ref buffer, 0, out _)).Code);
    }

    [Fact]
    public void Write_Messages_AppendsLf()
    {
        var output = new ArrayBufferWriter<byte>();
        LineFraming.Write(output, "one"u8);
        LineFraming.Write(output, []);
        LineFraming.Write(output, new byte[5000]);
        Assert.Equal("one\n\n" + new string('\0', 5000) + "\n", Bytes.Text(output.WrittenSpan));
    }
}

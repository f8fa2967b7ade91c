using System.Buffers;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class SyslogFramingTests
{
    [Theory]
    [InlineData("2147483647 <1>", int.MaxValue, null)]
    [InlineData("2147483648", int.MaxValue, null)]
    [InlineData("2147483648 <1>", int.MaxValue, "too-long")]
    [InlineData("9999999999 <1>", int.MaxValue, "too-long")]
    [InlineData("99999999999999999999999999 <1>\n", int.MaxValue, "too-long")]
    [InlineData("18446744073709551617 <\n", int.MaxValue, "too-long")]
    [InlineData("100 ", 100, null)]
    [InlineData("100 <", 100, null)]
    [InlineData("101 ", 100, null)]
    [InlineData("101 <", 100, "too-long")]
    [InlineData("10", 100, null)]
    [InlineData("10<1>", 100, null)]
    [InlineData("1-", 100, null)]
    [InlineData("1/", 100, null)]
    [InlineData("1:", 100, null)]
    public void TryRead_Count_IsHeldToTheGrammarAndTheBound(string stream, int max, string? code)
    {
        foreach (var buffer in new[] { new(Bytes.Of(stream)), Bytes.Sequence(Bytes.Chop(Bytes.Of(stream), 0, 1)) })
        {
            var unread = buffer;
            string? thrown = null;
            try
            {
                Assert.False(SyslogFraming.TryRead(ref unread, max, out _));
            }
            catch (ProtocolException e)
            {
                thrown = e.Code;
            }

            Assert.Equal(code, thrown);
        }
    }

    [Theory]
    [InlineData("<13>a", "<13>a")]
    [InlineData("<13>a\0", "<13>a")]
    [InlineData("<13>a\n", "<13>a")]
    [InlineData("<13>a\n\0", "<13>a")]
    [InlineData("<13>a\0\n", "<13>a")]
    [InlineData("<13>a\n\n", "<13>a\n")]
    [InlineData("<13>a\0\0", "<13>a\0")]
    [InlineData("<13>a\n\0\n", "<13>a\n")]
    [InlineData("\0", "")]
    [InlineData("", "")]
    public void TrimDatagram_TrailingNulAndLf_AreDroppedOnce(string datagram, string message) =>
        Assert.Equal(message, Bytes.Text(new ReadOnlySequence<byte>(SyslogFraming.TrimDatagram(Bytes.Of(datagram)))));

    [Fact]
    public void TryRead_EmptyLinesOnly_AreConsumed()
    {
        var buffer = new ReadOnlySequence<byte>(Bytes.Of("\n\r\n\r"));
        Assert.False(SyslogFraming.TryRead(ref buffer, 8, out _));
        Assert.Equal("\r", Bytes.Text(buffer));
    }

    [Fact]
    public void TryRead_MegabyteLineTrickles_ScannedAdvances()
    {
        const int Length = 1 << 20;
        var line = new byte[Length];
        line.AsSpan().Fill((byte)'<');
        long scanned = 0;
        for (var arrived = 1; arrived <= Length; arrived++)
        {
            var buffer = new ReadOnlySequence<byte>(line, 0, arrived);
            Assert.False(SyslogFraming.TryRead(ref buffer, Length, ref scanned, out _));
            Assert.Equal(arrived, scanned);
        }
    }

    [Fact]
    public void TryRead_AfterATrickledLine_CountsAgain()
    {
        long scanned = 0;
        var half = new ReadOnlySequence<byte>(Bytes.Of("<1>ab"));
        Assert.False(SyslogFraming.TryRead(ref half, 8, ref scanned, out _));
        var whole = new ReadOnlySequence<byte>(Bytes.Of("<1>ab\n3 <\nd"));
        Assert.True(SyslogFraming.TryRead(ref whole, 8, ref scanned, out var message));
        Assert.Equal("<1>ab", Bytes.Text(message));
        Assert.True(SyslogFraming.TryRead(ref whole, 8, ref scanned, out message));
        Assert.Equal("<\nd", Bytes.Text(message));
    }
}

using System.Buffers;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class LengthFramingTests
{
    [Theory]
    [InlineData("\0\0\u0001\u0002", 258, null)]
    [InlineData("\0\0\u0001\u0002", 257, "too-long")]
    [InlineData("\0\u0001\0\0", 0x10000, null)]
    [InlineData("\0\u0001\0\0", 0xFFFF, "too-long")]
    [InlineData("\u007f\u00ff\u00ff\u00ff", int.MaxValue, null)]
    [InlineData("\u007f\u00ff\u00ff\u00ff", int.MaxValue - 1, "too-long")]
    [InlineData("\u0080\0\0\0", int.MaxValue, "too-long")]
    [InlineData("\u00ff\u00ff\u00ff\u00ff", int.MaxValue, "too-long")]
    [InlineData("\0\0\0\u0001", 0, "too-long")]
    public void TryRead_HeaderOnly_IsHeldToTheBound(string header, int max, string? code)
    {
        foreach (var buffer in new[] { new(Bytes.Of(header)), Bytes.Sequence(Bytes.Chop(Bytes.Of(header), 1)) })
        {
            var unread = buffer;
            string? thrown = null;
            try
            {
                Assert.False(LengthFraming.TryRead(ref unread, max, out _));
            }
            catch (ProtocolException e)
            {
                thrown = e.Code;
            }

            Assert.Equal(code, thrown);
            Assert.Equal(4, unread.Length);
        }
    }

    [Fact]
    public void TryRead_NegativeBound_Throws()
    {
        var buffer = new ReadOnlySequence<byte>(Bytes.Of("\0\0\0\0"));
        Assert.Throws<ArgumentOutOfRangeException>(() => LengthFraming.TryRead(ref buffer, -1, out _));
    }

    [Fact]
    public void Write_Messages_PutsTheLengthBefore()
    {
        var output = new ArrayBufferWriter<byte>();
        LengthFraming.Write(output, "abc"u8);
        LengthFraming.Write(output, []);
        LengthFraming.Write(output, new byte[258]);
        var expected = "\0\0\0\u0003abc" + "\0\0\0\0" + "\0\0\u0001\u0002" + new string('\0', 258);
        Assert.Equal(expected, Bytes.Text(output.WrittenSpan));
    }
}

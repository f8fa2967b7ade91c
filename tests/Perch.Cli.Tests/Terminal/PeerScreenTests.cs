using System.Text;
using Perch.Cli.Terminal;

namespace Perch.Cli.Tests.Terminal;

public sealed class PeerScreenTests
{
    [Theory]
    [InlineData("GOT:Hello\r\nWorld\n", "GOT:Hello\nWorld\n")]
    [InlineData("データ送信\n", "データ送信\n")]
    [InlineData("\u001b[2J\u001b]0;x\u0007\n", "\\x1B[2J\\x1B]0;x\\x07\n")]
    [InlineData("a\rb\n", "a\\rb\n")]
    [InlineData("\u009b31m\u202e", "\\u009B31m\\u202E")]
    public void Next_CutAnywhere_ShowsTheSame(string sent, string shown)
    {
        var bytes = Encoding.UTF8.GetBytes(sent);
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            var screen = new PeerScreen();
            Assert.Equal(shown, screen.Next(bytes.AsSpan(0, cut)) + screen.Next(bytes.AsSpan(cut)) + screen.End());
        }
    }

    [Fact]
    public void Next_OneByteAtATime_ShowsBytesThatAreNoText()
    {
        var screen = new PeerScreen();
        var shown = string.Concat(((byte[])[0xE3, 0x83, 0xFF, 0xF0, (byte)'A', (byte)'\r']).Select(octet => screen.Next([octet]))) + screen.End();
        Assert.Equal("\\xE3\\x83\\xFF\\xF0A\\r", shown);
    }

    [Fact]
    public void HexView_OverSeveralCalls_GoesOn()
    {
        var hex = new HexView();
        Assert.Equal("00000000  47 4f 54 3a 00 01 02 03  04 05 06 07 08 09 0a 0b  |GOT:............|\n00000010  0c                                                |.|\n",
            hex.Next([.. "GOT:"u8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        Assert.StartsWith("00000011  ff ", hex.Next([0xFF]), StringComparison.Ordinal);
    }
}

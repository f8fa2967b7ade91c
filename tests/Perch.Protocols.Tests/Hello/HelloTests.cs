using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Hello;

public sealed class HelloTests
{
    [Theory]
    [InlineData("Zack", "ZACK")]
    [InlineData("world!", "WORLD!")]
    [InlineData("Zack \t\r\n", "ZACK")]
    [InlineData("  Zack", "  ZACK")]
    [InlineData("Zack\u3000", "ZACK")]
    [InlineData("山田太郎", "山田太郎")]
    [InlineData("ｚａｃｋ", "ＺＡＣＫ")]
    [InlineData("björn", "BJÖRN")]
    [InlineData("\r\n", "")]
    [InlineData("a\nb\r\n", @"A\nB")]
    [InlineData("\u001b[31mred\u001b]0;title\a", @"\x1B[31MRED\x1B]0;TITLE\x07")]
    [InlineData("zack\nHello ROOT", @"ZACK\nHELLO ROOT")]
    [InlineData("quit", "QUIT")]
    [InlineData("--qui t--", "--QUI T--")]
    public async Task Hello_Message_IsGreetedInTheLogAndAnsweredWithADash(string message, string name)
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect();
        await peer.SendAsync(message);
        await peer.ExpectAsync("-");
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        var greeted = Assert.Single(host.Logged("HelloGreeted"));
        Assert.Equal((name, $"Hello {name}", LogLevel.Information), (greeted.GetStructuredStateValue("Name"), greeted.Message, greeted.Level));
    }

    [Fact]
    public async Task Hello_InvalidUtf8_IsReplacedAndAnswered()
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect();
        await peer.SendAsync((byte[])[0xFF, (byte)'a', 0xE5, 0xB1]);
        await peer.ExpectAsync("-");
        Assert.Equal("\uFFFDA\uFFFD", Assert.Single(host.Logged("HelloGreeted")).GetStructuredStateValue("Name"));
    }

    [Theory]
    [InlineData("--quit--")]
    [InlineData("--QUIT--\r\n")]
    [InlineData("--Quit--")]
    [InlineData("well then, --qUiT--, and good-bye")]
    [InlineData("------quit------")]
    public async Task Hello_Quit_EndsWithoutAnAnswer(string quit)
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect();
        await peer.SendAsync("Zack");
        await peer.ExpectAsync("-");
        await peer.SendAsync(quit);
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync()).Outcome);
        Assert.Single(host.Logged("HelloGreeted"));
        Assert.Single(host.Logged("HelloQuit"));
    }

    [Fact]
    public async Task Hello_ThreeAtOnce_EachHasItsOwnSession()
    {
        await using var host = new ProtocolHost("hello");
        var peers = new[] { host.Connect(), host.Connect(), host.Connect() };
        foreach (var (peer, name) in peers.Zip(["Zack", "Python", "Anothny"]))
        {
            await peer.SendAsync(name);
            await peer.ExpectAsync("-");
        }

        await peers[1].SendAsync("--quit--");
        await peers[1].ExpectEndAsync();
        await peers[2].SendAsync("still here");
        await peers[2].ExpectAsync("-");
        Assert.Equal(["ZACK", "PYTHON", "ANOTHNY", "STILL HERE"], host.Logged("HelloGreeted").Select(e => e.GetStructuredStateValue("Name")));
    }

    [Theory]
    [InlineData(5119, "-", 0)]
    [InlineData(5120, "-", 1)]
    [InlineData(5121, "--", 1)]
    public async Task Hello_AroundTheBound_IsCutAndSaysSo(int length, string answers, int warnings)
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect();
        await peer.SendAsync(new string('z', length));
        peer.EndInput();
        Assert.Equal(answers.Length, (await peer.ExpectEndAsync(answers)).Messages);
        Assert.Equal(warnings, host.Logged("HelloAtLimit").Length);
    }

    [Fact]
    public async Task Hello_LineAsLongAsTheBound_IsWholeAndNotWarnedAbout()
    {
        await using var host = new ProtocolHost("hello", """{ "Framing": "Line" }""");
        var peer = host.Connect();
        await peer.SendAsync(new string('z', 5120) + "\n");
        await peer.ExpectAsync("-");
        Assert.Empty(host.Logged("HelloAtLimit"));
    }

    [Fact]
    public async Task Hello_LongName_IsLoggedBounded()
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect();
        await peer.SendAsync(new string('z', 5000));
        await peer.ExpectAsync("-");
        Assert.Equal(new string('Z', 256) + "…(+4744 chars)", Assert.Single(host.Logged("HelloGreeted")).GetStructuredStateValue("Name"));
    }

    [Fact]
    public async Task Hello_ByteByByte_GreetsEachByteAndNeverSeesTheQuit()
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect(trickle: true);
        await peer.SendAsync("--quit--");
        await peer.ExpectAsync("--------");
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        Assert.Equal("--QUIT--", string.Concat(host.Logged("HelloGreeted").Select(e => e.GetStructuredStateValue("Name"))));
    }

    [Fact]
    public async Task Hello_LinesByteByByte_AreWhole()
    {
        await using var host = new ProtocolHost("hello", """{ "Framing": "Line" }""");
        var peer = host.Connect(trickle: true);
        await peer.SendAsync(Encoding.UTF8.GetBytes("山田\r\nZack\n--quit--\nnever"));
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync("--")).Outcome);
        Assert.Equal(["山田", "ZACK"], host.Logged("HelloGreeted").Select(e => e.GetStructuredStateValue("Name")));
    }

    [Fact]
    public async Task Hello_SilentPeer_EndsAfterTheFirstByteTimeout()
    {
        var time = new FakeTimeProvider();
        await using var host = new ProtocolHost("hello", time: time);
        var peer = host.Connect();
        time.Advance(TimeSpan.FromMinutes(1));
        peer.Connection.Heartbeat();
        Assert.Equal(ConnectionOutcome.FirstByteTimeout, (await peer.EndedAsync()).Outcome);
    }

    [Fact]
    public async Task Hello_SilentWhenTheDrainBegins_EndsAtOnce()
    {
        await using var host = new ProtocolHost("hello");
        var peer = host.Connect();
        peer.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync()).Outcome);
    }
}

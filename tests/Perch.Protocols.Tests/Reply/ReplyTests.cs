using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Reply;

public sealed class ReplyTests
{
    /// <summary>データ送信 in UTF-8.</summary>
    private static readonly byte[] Answer =
        [0xE3, 0x83, 0x87, 0xE3, 0x83, 0xBC, 0xE3, 0x82, 0xBF, 0xE9, 0x80, 0x81, 0xE4, 0xBF, 0xA1];

    [Theory]
    [InlineData("hello", "hello")]
    [InlineData("データ", "データ")]
    [InlineData("two\nlines\r\n", @"two\nlines\r\n")]
    [InlineData("\u001b[2J\u202egnp.exe\0", @"\x1B[2J\u202Egnp.exe\x00")]
    public async Task Reply_Message_IsLoggedAnsweredAndClosed(string message, string logged)
    {
        await using var host = new ProtocolHost("reply");
        var peer = host.Connect();
        await peer.SendAsync(message);
        var ended = await peer.ExpectEndAsync(Answer);
        Assert.Equal((ConnectionOutcome.Completed, 1), (ended.Outcome, ended.Messages));
        var received = Assert.Single(host.Logged("ReplyReceived"));
        Assert.Equal((logged, $"受信データ: {logged}"), (received.GetStructuredStateValue("Text"), received.Message));
    }

    [Fact]
    public async Task Reply_InvalidUtf8_IsLoggedAsBytes()
    {
        await using var host = new ProtocolHost("reply");
        var peer = host.Connect();
        await peer.SendAsync((byte[])[0xFF, 0x00, (byte)'a']);
        await peer.ExpectEndAsync(Answer);
        Assert.Equal(@"\xFF\x00a", Assert.Single(host.Logged("ReplyReceived")).GetStructuredStateValue("Text"));
    }

    [Fact]
    public async Task Reply_MoreThanTheBound_IsAnsweredOnceForTheFirstPart()
    {
        await using var host = new ProtocolHost("reply");
        var peer = host.Connect();
        await peer.SendAsync(new string('x', 3000));
        var ended = await peer.ExpectEndAsync(Answer);
        Assert.Equal((ConnectionOutcome.Completed, 1), (ended.Outcome, ended.Messages));
        Assert.Equal(new string('x', 256) + "…(+768 bytes)", Assert.Single(host.Logged("ReplyReceived")).GetStructuredStateValue("Text"));
    }

    [Fact]
    public async Task Reply_PeerHalfClosesAfterItsMessage_IsAnswered()
    {
        await using var host = new ProtocolHost("reply");
        var peer = host.Connect();
        await peer.SendAsync("hello");
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync(Answer)).Outcome);
    }

    [Fact]
    public async Task Reply_PeerClosesWithoutAMessage_GetsNothing()
    {
        await using var host = new ProtocolHost("reply");
        var peer = host.Connect();
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 0), (ended.Outcome, ended.Messages));
        Assert.Empty(host.Logged("ReplyReceived"));
    }

    [Fact]
    public async Task Reply_ByteByByte_TheFirstByteIsTheMessage()
    {
        await using var host = new ProtocolHost("reply");
        var peer = host.Connect(trickle: true);
        await peer.SendAsync("hello");
        await peer.ExpectEndAsync(Answer);
        Assert.Equal("h", Assert.Single(host.Logged("ReplyReceived")).GetStructuredStateValue("Text"));
    }

    [Fact]
    public async Task Reply_LineByteByByte_IsWhole()
    {
        await using var host = new ProtocolHost("reply", """{ "Framing": "Line" }""");
        var peer = host.Connect(trickle: true);
        await peer.SendAsync("hello\r\nnever");
        await peer.ExpectEndAsync(Answer);
        Assert.Equal("hello", Assert.Single(host.Logged("ReplyReceived")).GetStructuredStateValue("Text"));
    }

    [Fact]
    public async Task Reply_LineTooLong_ClosesWithoutAnAnswer()
    {
        await using var host = new ProtocolHost("reply", """{ "Framing": "Line", "MaxMessageBytes": 4 }""");
        var peer = host.Connect();
        await peer.SendAsync("hello\n");
        Assert.Equal(ConnectionOutcome.ProtocolViolation, (await peer.ExpectEndAsync()).Outcome);
        Assert.Equal("too-long", Assert.Single(host.Logged("ProtocolViolated")).GetStructuredStateValue("Code"));
    }

    [Theory]
    [InlineData("OK\\n", "OK\n")]
    [InlineData("", "")]
    public async Task Reply_AnswerOfTheOptions_IsSent(string json, string answer)
    {
        await using var host = new ProtocolHost("reply", $$"""{ "Answer": "{{json}}" }""");
        var peer = host.Connect();
        await peer.SendAsync("hello");
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync(answer)).Outcome);
    }
}

using Perch.Configuration;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Echo;

/// <summary>The four shapes are one echo: the same table holds for all of them.</summary>
public sealed class EchoTests
{
    public static TheoryData<string> Shapes => [.. EchoShapes.All];

    public static TheoryData<string> FramedShapes => [.. EchoShapes.Framed];

    public static TheoryData<string, string> Chunks => Cross(EchoShapes.All, EchoShapes.Chunks);

    public static TheoryData<string, string> Frames => Cross(EchoShapes.Framed, EchoShapes.Frames);

    public static TheoryData<string, string> Violations => Cross(EchoShapes.Framed, EchoShapes.Violations);

    [Theory]
    [MemberData(nameof(Chunks))]
    public async Task Echo_Chunks_ComeBackWithThePrefix(string shape, string dialogue) =>
        await HoldAsync(shape, EchoShapes.Chunks.Single(d => d.Name == dialogue), ConnectionOutcome.PeerClosed);

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task Echo_Frames_ComeBackWithThePrefixAndWithoutTheirFraming(string shape, string dialogue) =>
        await HoldAsync(shape, EchoShapes.Frames.Single(d => d.Name == dialogue), ConnectionOutcome.PeerClosed);

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task Echo_FramesByteByByte_AnswersTheSame(string shape, string dialogue) =>
        await HoldAsync(shape, EchoShapes.Frames.Single(d => d.Name == dialogue), ConnectionOutcome.PeerClosed, trickle: true);

    [Theory]
    [MemberData(nameof(Violations))]
    public async Task Echo_Violation_AnswersWhatCameBeforeAndCloses(string shape, string dialogue)
    {
        await HoldAsync(shape, EchoShapes.Violations.Single(d => d.Name == dialogue), ConnectionOutcome.ProtocolViolation);
        await HoldAsync(shape, EchoShapes.Violations.Single(d => d.Name == dialogue), ConnectionOutcome.ProtocolViolation, trickle: true);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Echo_ChunksByteByByte_EachByteIsAMessage(string shape)
    {
        await using var host = new ProtocolHost(shape);
        var peer = host.Connect(trickle: true);
        await peer.SendAsync("Hello");
        await peer.ExpectAsync("GOT:HGOT:eGOT:lGOT:lGOT:o");
        peer.EndInput();
        Assert.Equal(5, (await peer.ExpectEndAsync()).Messages);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Echo_OneAfterTheOther_AnswersEachBeforeTheNext(string shape)
    {
        await using var host = new ProtocolHost(shape);
        var peer = host.Connect();
        foreach (var name in (string[])["Zack", "Python", "world!"])
        {
            await peer.SendAsync(name);
            await peer.ExpectAsync("GOT:" + name);
        }

        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 3, 16, 28), (ended.Outcome, ended.Messages, ended.BytesReceived, ended.BytesSent));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Echo_ManyPeers_AreKeptApart(string shape)
    {
        await using var host = new ProtocolHost(shape);
        var peers = Enumerable.Range(0, 20).Select(_ => host.Connect()).ToArray();
        for (var i = 0; i < peers.Length; i++) await peers[i].SendAsync($"peer {i}");
        for (var i = peers.Length - 1; i >= 0; i--)
        {
            await peers[i].ExpectAsync($"GOT:peer {i}");
            peers[i].EndInput();
            await peers[i].ExpectEndAsync();
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Echo_IdleWhenTheDrainBegins_EndsAtOnce(string shape)
    {
        await using var host = new ProtocolHost(shape);
        var peer = host.Connect();
        await peer.SendAsync("Hello");
        await peer.ExpectAsync("GOT:Hello");
        peer.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync()).Outcome);
    }

    [Theory]
    [MemberData(nameof(FramedShapes))]
    public async Task Echo_HalfAMessageWhenTheDrainBegins_AnswersItAndLeaves(string shape)
    {
        await using var host = new ProtocolHost(shape, """{ "Framing": "Line" }""");
        var peer = host.Connect();
        await peer.SendAsync("one\ntw");
        await peer.ExpectAsync("GOT:one");
        peer.Connection.RequestClose();
        // The next message has begun as well: it is not waited for.
        await peer.SendAsync("o\nthr");
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync("GOT:two")).Outcome);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Echo_PeerThatGoesOnWhileItDrains_GetsOneAnswerMoreAtMost(string shape)
    {
        await using var host = new ProtocolHost(shape, """{ "MaxMessageBytes": 1 }""");
        var peer = host.Connect(trickle: true);
        peer.Connection.RequestClose();
        await peer.SendAsync(new byte[100]);
        var ended = await peer.EndedAsync();
        Assert.Equal(ConnectionOutcome.Drained, ended.Outcome);
        Assert.InRange(ended.Messages, 0, 1);
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Echo_PeerResets_IsAReset(string shape)
    {
        await using var host = new ProtocolHost(shape);
        var peer = host.Connect();
        await peer.SendAsync("Hello");
        await peer.ExpectAsync("GOT:Hello");
        peer.Connection.Reset();
        Assert.Equal(ConnectionOutcome.PeerReset, (await peer.EndedAsync()).Outcome);
    }

    [Theory]
    [InlineData("echo", "MaxMessageBytes", "0")]
    [InlineData("echo", "MaxMessageBytes", "16777217")]
    [InlineData("echo", "Framing", "\"Lines\"")]
    [InlineData("echo", "Framing", "1")]
    [InlineData("echo-blocking", "MaxMessageBytes", "65537")]
    [InlineData("echo-blocking", "MaxThreads", "0")]
    [InlineData("echo-blocking", "ReadTimeout", "60")]
    [InlineData("echo-blocking", "Framing", "\"Line\"")]
    public void Echo_OptionThatItCannotTake_IsRefusedByName(string shape, string key, string value)
    {
        var refused = Assert.Throws<PerchConfigurationException>(() => new ProtocolHost(shape, $$"""{ "{{key}}": {{value}} }"""));
        Assert.Equal($"Perch:Endpoints:test:Options:{key}", Assert.Single(refused.Faults).Key);
    }

    [Fact]
    public async Task EchoBlocking_AllThreadsTaken_RejectsTheNext()
    {
        await using var host = new ProtocolHost("echo-blocking", """{ "MaxThreads": 1 }""");
        var first = host.Connect();
        await first.SendAsync("Hello");
        await first.ExpectAsync("GOT:Hello");
        var second = host.Connect();
        Assert.Equal(ConnectionOutcome.Rejected, (await second.ExpectEndAsync()).Outcome);
        await first.SendAsync("still here");
        await first.ExpectAsync("GOT:still here");
    }

    [Fact]
    public async Task EchoBlocking_PeerComesBackOnceItIsClosed_FindsTheThreadFree()
    {
        await using var host = new ProtocolHost("echo-blocking", """{ "MaxThreads": 1 }""");
        // Often, since the moment in which the thread could still be taken is short.
        for (var i = 0; i < 1000; i++)
        {
            var peer = host.Connect();
            peer.EndInput();
            Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        }
    }

    [Fact]
    public async Task EchoBlocking_SilentPeer_EndsAfterTheReadTimeout()
    {
        await using var host = new ProtocolHost("echo-blocking", """{ "ReadTimeout": "00:00:00.010" }""");
        var peer = host.Connect();
        Assert.Equal(ConnectionOutcome.IdleTimeout, (await peer.EndedAsync()).Outcome);
    }

    private static TheoryData<string, string> Cross(string[] shapes, EchoDialogue[] dialogues)
    {
        var data = new TheoryData<string, string>();
        foreach (var shape in shapes)
        {
            foreach (var dialogue in dialogues) data.Add(shape, dialogue.Name);
        }

        return data;
    }

    private static async Task HoldAsync(string shape, EchoDialogue dialogue, ConnectionOutcome outcome, bool trickle = false)
    {
        await using var host = new ProtocolHost(shape, dialogue.Options);
        var peer = host.Connect(trickle);
        if (dialogue.Sent.Length > 0) await peer.SendAsync(dialogue.Sent);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync(dialogue.Answered);
        Assert.Equal(
            (outcome, dialogue.Messages, dialogue.Sent.Length, dialogue.Answered.Length),
            (ended.Outcome, ended.Messages, ended.BytesReceived, ended.BytesSent));
    }
}

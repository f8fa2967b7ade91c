using System.Text;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>What a sender sees while the store works.</summary>
public sealed class RecordProtocolTests
{
    [Fact]
    public async Task Line_Messages_AreAnsweredWithTheirIdsInOrder()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        var peer = host.Connect();
        await peer.SendAsync("a\r\nb\n\n");
        await peer.ExpectAsync("OK 1\nOK 2\nOK 3\n");
        await peer.SendAsync("データ\n");
        await peer.ExpectAsync("OK 4\n");
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 4), (ended.Outcome, ended.Messages));
        Assert.Equal(["a", "b", "", "データ"], host.Store.Texts);
    }

    [Fact]
    public async Task Line_ByteByByte_IsWhole()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        var peer = host.Connect(trickle: true);
        await peer.SendAsync("データ\r\nb\n");
        await peer.ExpectAsync("OK 1\nOK 2\n");
        Assert.Equal(["データ", "b"], host.Store.Texts);
    }

    [Fact]
    public async Task Line_ManyMessages_AreAllAnsweredInOrder()
    {
        const int Messages = 5000;
        await using var host = await RecordHost.StartAsync(RecordHost.Line, new() { QueueRecords = 100, CommitRecords = 30 });
        var peer = host.Connect();
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < Messages; i += 50)
                await peer.SendAsync(string.Concat(Enumerable.Range(i, 50).Select(n => $"message {n}\n")));
            peer.EndInput();
        });
        Assert.Equal(Messages, (await peer.ExpectEndAsync(string.Concat(Enumerable.Range(1, Messages).Select(id => $"OK {id}\n")))).Messages);
        await sending.Soon();
        Assert.Equal(Enumerable.Range(0, Messages).Select(n => $"message {n}"), host.Store.Texts);
    }

    [Fact]
    public async Task Line_SeveralSenders_EachGetsItsOwnIds()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Hold();
        var first = host.Connect();
        await first.SendAsync("a1\na2\n");
        await host.Store.AppendingAsync();
        var (second, third) = (host.Connect(), host.Connect());
        await second.SendAsync("b1\n");
        await host.QueuedAsync(3);
        await third.SendAsync("c1\nc2\n");
        await host.QueuedAsync(5);
        host.Store.Release();
        await first.ExpectAsync("OK 1\nOK 2\n");
        await second.ExpectAsync("OK 3\n");
        await third.ExpectAsync("OK 4\nOK 5\n");
        // What came while the first was on its way is one transaction.
        Assert.Equal([1, 2], host.Store.Groups.Select(group => group.Length));
    }

    [Fact]
    public async Task Syslog_Messages_AreStoredInSilence()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Syslog);
        var peer = host.Connect();
        await peer.SendAsync("<13>one\n10 <13>two\nxy<13>three\n");
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 3), (ended.Outcome, ended.Messages));
        Assert.Equal(["<13>one", "<13>two\nxy", "<13>three"], host.Store.Texts);
    }

    [Theory]
    [InlineData("<13>one", "<13>one")]
    [InlineData("<13>one\n<13>two", "<13>one|<13>two")]
    [InlineData("<14>one\0<14>two\0<14>three\0", "<14>one|<14>two|<14>three")]
    [InlineData("<13>a\n2024-11-07T10:00:00 x\n<13>b\n", "<13>a|2024-11-07T10:00:00 x|<13>b")]
    public async Task Syslog_EndOfTheStream_EveryMessageIsStored(string sent, string stored)
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Syslog);
        var peer = host.Connect();
        await peer.SendAsync(sent);
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        Assert.Equal(stored.Split('|'), host.Store.Texts);
    }

    [Fact]
    public async Task Syslog_NulEndsTheMessage_IsStoredWhileTheConnectionIsOpen()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Syslog);
        var peer = host.Connect();
        host.Store.Hold();
        await peer.SendAsync("<14>one\0");
        await host.Store.AppendingAsync();
        host.Store.Release();
        peer.EndInput();
        await peer.ExpectEndAsync();
        Assert.Equal(["<14>one"], host.Store.Texts);
    }

    [Fact]
    public async Task Record_Stored_SaysWhereItCameFromAndWhen()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        var peer = host.Connect();
        await peer.SendAsync("@a/1 one\n");
        await peer.ExpectAsync("OK 1\n");
        Assert.Equal(new("test", "127.0.0.1:50000", time.GetUtcNow(), "", 0, "@a/1 one"), host.Store.Groups[0][0][0]);
    }

    [Fact]
    public async Task Record_Deduplicate_KeyIsTakenFromTheMessage()
    {
        await using var host = await RecordHost.StartAsync("""{ "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": true }""");
        var peer = host.Connect();
        await peer.SendAsync("@a/7 one\n@/7 none\n");
        await peer.ExpectAsync("OK 1\nOK 2\n");
        Assert.Equal([("a", 7L, "one"), ("", 0L, "@/7 none")], host.Store.Groups[0][0].Select(record => (record.Sender, record.Sequence, record.Text)));
    }

    [Fact]
    public async Task Line_AppendHeld_NothingIsAnsweredBefore()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await host.Store.AppendingAsync();
        var answer = peer.ReceiveAsync(1);
        // Another connection goes all the way round while this one waits.
        await using (var other = await RecordHost.StartAsync(RecordHost.Line))
        {
            var neighbour = other.Connect();
            await neighbour.SendAsync("b\n");
            await neighbour.ExpectAsync("OK 1\n");
        }

        Assert.False(answer.IsCompleted);
        Assert.Empty(host.Store.Groups);
        host.Store.Release();
        Assert.Equal("O", Encoding.UTF8.GetString(await answer));
        Assert.Single(host.Store.Groups);
        await peer.ExpectAsync("K 1\n");
    }

    [Fact]
    public async Task Line_PeerHalfClosesWithBatchesInFlight_AllAnswersArrive()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Hold();
        var peer = host.Connect();
        await SendBurstsAsync(host, peer, 3);
        peer.EndInput();
        host.Store.Release();
        var ended = await peer.ExpectEndAsync("OK 1\nOK 2\nOK 3\n");
        Assert.Equal((ConnectionOutcome.PeerClosed, 3), (ended.Outcome, ended.Messages));
    }

    [Fact]
    public async Task Line_PeerResetsWithBatchesInFlight_TheyAreStoredAndTheOutcomeSaysSo()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Hold();
        var peer = host.Connect();
        await SendBurstsAsync(host, peer, 3);
        peer.Connection.Reset();
        host.Store.Release();
        Assert.Equal(ConnectionOutcome.PeerReset, (await peer.EndedAsync()).Outcome);
        Assert.Equal(["m1", "m2", "m3"], host.Store.Texts);
        Assert.Empty(host.Logged("HandlerFaulted"));
    }

    [Fact]
    public async Task Drain_Idle_EndsAtOnce()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        var (silent, answered) = (host.Connect(), host.Connect());
        await answered.SendAsync("a\n");
        await answered.ExpectAsync("OK 1\n");
        silent.Connection.RequestClose();
        answered.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await silent.ExpectEndAsync()).Outcome);
        Assert.Equal(ConnectionOutcome.Drained, (await answered.ExpectEndAsync()).Outcome);
    }

    [Fact]
    public async Task Drain_MessageInHand_IsWaitedForStoredAndAnswered()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        var peer = host.Connect();
        await peer.SendAsync("a\nhalf a mes");
        await peer.ExpectAsync("OK 1\n");
        peer.Connection.RequestClose();
        await peer.SendAsync("sage\n");
        var ended = await peer.ExpectEndAsync("OK 2\n");
        Assert.Equal((ConnectionOutcome.Drained, 2), (ended.Outcome, ended.Messages));
        Assert.Equal(["a", "half a message"], host.Store.Texts);
    }

    [Fact]
    public async Task Drain_CommitsPending_AreAnswered()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Hold();
        var peer = host.Connect();
        await SendBurstsAsync(host, peer, 3);
        peer.Connection.RequestClose();
        host.Store.Release();
        var ended = await peer.ExpectEndAsync("OK 1\nOK 2\nOK 3\n");
        Assert.Equal((ConnectionOutcome.Drained, 3), (ended.Outcome, ended.Messages));
    }

    [Fact]
    public async Task Violation_TooLong_WholeMessagesBeforeItAreAnsweredFirst()
    {
        await using var host = await RecordHost.StartAsync("""{ "Framing": "Line", "Ack": "OK {id}\n", "MaxMessageBytes": 4 }""");
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("a\nbb\nccccc\nd\n");
        await host.Store.AppendingAsync();
        host.Store.Release();
        var ended = await peer.ExpectEndAsync("OK 1\nOK 2\nERR too-long A message may have at most 4 bytes.\n");
        Assert.Equal((ConnectionOutcome.ProtocolViolation, 2), (ended.Outcome, ended.Messages));
        Assert.Equal(["a", "bb"], host.Store.Texts);
        Assert.Equal("too-long", Assert.Single(host.Logged("ProtocolViolated")).GetStructuredStateValue("Code"));
    }

    [Theory]
    [InlineData(RecordHost.Line, "a\nhal", "OK 1\n", "Line")]
    [InlineData(RecordHost.Syslog, "<13>a\n20 <13>half", "", "Syslog")]
    public async Task Violation_Truncated_WholeMessagesBeforeItAreAnsweredFirst(string options, string sent, string answers, string framing)
    {
        await using var host = await RecordHost.StartAsync(options);
        var peer = host.Connect();
        await peer.SendAsync(sent);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync(answers + $"ERR truncated The stream ended inside a message ({framing} framing).\n");
        Assert.Equal((ConnectionOutcome.ProtocolViolation, 1), (ended.Outcome, ended.Messages));
        Assert.Single(host.Store.Texts);
    }

    [Fact]
    public async Task Violation_NothingBeforeIt_NothingIsStored()
    {
        await using var host = await RecordHost.StartAsync("""{ "Framing": "Line", "MaxMessageBytes": 4 }""");
        var peer = host.Connect();
        await peer.SendAsync("ccccc\n");
        Assert.Equal(ConnectionOutcome.ProtocolViolation, (await peer.ExpectEndAsync("ERR too-long A message may have at most 4 bytes.\n")).Outcome);
        Assert.Equal(0, host.Store.Appends);
    }

    /// <summary>Each is a read, and so a batch, of its own: m1 LF, m2 LF and so on.</summary>
    private static async Task SendBurstsAsync(RecordHost host, Peer peer, int bursts)
    {
        for (var i = 1; i <= bursts; i++)
        {
            await peer.SendAsync($"m{i}\n");
            await host.QueuedAsync(i);
        }
    }
}

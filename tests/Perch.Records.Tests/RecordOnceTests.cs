using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Perch.Configuration;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>A connection that is one message.</summary>
public sealed class RecordOnceTests
{
    private const string Stored = "データ送信とDB保存完了";

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData("hi")]
    [InlineData("hi\n")]
    [InlineData("'); DROP TABLE logs; --")]
    public async Task Message_QuietTimeIsOver_IsStoredAnsweredAndClosed(string message)
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        var peer = host.Connect();
        await peer.SendAsync(message);
        var ended = await peer.PassUntilAsync(_time, peer.ExpectEndAsync(Stored));
        Assert.Equal((ConnectionOutcome.Completed, 1), (ended.Outcome, ended.Messages));
        Assert.Equal([message], host.Store.Texts);
    }

    [Fact]
    public async Task Message_TwoPartsWithinTheQuietTime_AreOneRecord()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        var peer = host.Connect();
        await peer.SendAsync("first ");
        await peer.ReceivedAsync(6);
        _time.Advance(TimeSpan.FromMilliseconds(50));
        await peer.SendAsync("second");
        await peer.ReceivedAsync(12);
        await peer.PassUntilAsync(_time, peer.ExpectEndAsync(Stored));
        Assert.Equal(["first second"], host.Store.Texts);
    }

    [Theory]
    [InlineData(false, 300_000)]
    [InlineData(false, 1024 * 1024)]
    [InlineData(true, 500)]
    public async Task Message_HalfClose_IsStoredWholeWithoutAWait(bool trickle, int length)
    {
        var message = string.Concat(Enumerable.Range(0, length).Select(i => (char)('a' + (i % 26))));
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        var peer = host.Connect(trickle);
        await peer.SendAsync(message);
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync(Stored)).Outcome);
        Assert.Equal([message], host.Store.Texts);
    }

    [Fact]
    public async Task Message_PeerHalfClosesWhileItIsStored_IsAnswered()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("hi");
        await peer.PassUntilAsync(_time, IsAppending(host));
        peer.EndInput();
        host.Store.Release();
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync(Stored)).Outcome);
    }

    [Fact]
    public async Task QuietTimeZero_FirstReceive_IsTheMessage()
    {
        const string Options = """{ "Ack": "OK {id}\n", "Once": true, "OnceQuietTime": "00:00:00" }""";
        await using var host = await RecordHost.StartAsync(Options, time: _time);
        var peer = host.Connect();
        await peer.SendAsync("hi");
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync("OK 1\n")).Outcome);
        Assert.Equal(["hi"], host.Store.Texts);
    }

    [Fact]
    public async Task NoMessage_PeerCloses_GetsNothing()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        var peer = host.Connect();
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 0), (ended.Outcome, ended.Messages));
        Assert.Empty(host.Store.Groups);
    }

    [Fact]
    public async Task FurtherBytes_BeforeTheAnswer_ArePartStoredAndToldSo()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("first");
        await peer.PassUntilAsync(_time, IsAppending(host));
        await peer.SendAsync("second");
        host.Store.Release();
        const string More = "ERR more Bytes came after the message had ended; its first 5 bytes are stored.\n";
        var ended = await peer.PassUntilAsync(_time, peer.ExpectEndAsync(More));
        Assert.Equal((ConnectionOutcome.ProtocolViolation, 1), (ended.Outcome, ended.Messages));
        Assert.Equal(["first"], host.Store.Texts);
        var logged = Assert.Single(host.Logged("RecordStoredInPart"));
        Assert.Equal(LogLevel.Warning, logged.Level);
        Assert.Equal(["1", "5", "test"], ((string[])["Id", "Bytes", "Endpoint"]).Select(logged.GetStructuredStateValue));
    }

    [Fact]
    public async Task FurtherBytes_AfterTheAnswer_AreLoggedOnce()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        var peer = host.Connect();
        await peer.SendAsync("first");
        await peer.PassToTheAnswerAsync(_time);
        await peer.ExpectAsync(Stored);
        await peer.SendAsync("second");
        await peer.ReceivedAsync(11);
        await peer.SendAsync("third");
        peer.EndInput();
        Assert.Equal((ConnectionOutcome.Completed, 1), await OutcomeAsync(peer));
        Assert.Equal(["first"], host.Store.Texts);
        Assert.Equal(LogLevel.Warning, Assert.Single(host.Logged("RecordBytesDropped")).Level);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(10)]
    public async Task TooLong_CutAnywhere_IsToldAndNotStored(int cut)
    {
        await using var host = await RecordHost.StartAsync("""{ "Ack": "OK {id}\n", "Once": true, "MaxMessageBytes": 10 }""", time: _time);
        var (longest, longer) = (host.Connect(), host.Connect());
        await longest.SendAsync("0123456789");
        longest.EndInput();
        await longest.ExpectEndAsync("OK 1\n");
        await longer.SendAsync("0123456789"[..cut]);
        await longer.SendAsync("0123456789x"[cut..]);
        longer.EndInput();
        var ended = await longer.ExpectEndAsync("ERR too-long A message may have at most 10 bytes.\n");
        Assert.Equal((ConnectionOutcome.ProtocolViolation, 0), (ended.Outcome, ended.Messages));
        Assert.Equal(["0123456789"], host.Store.Texts);
    }

    [Fact]
    public async Task TooLong_PeerGoesOnSending_ReadsTheAnswer()
    {
        await using var host = await RecordHost.StartAsync("""{ "Once": true, "MaxMessageBytes": 10 }""", time: _time);
        var peer = host.Connect();
        // More than the transport takes unread.
        await peer.SendAsync(new byte[1_000_000]);
        var ended = await peer.PassUntilAsync(_time, peer.ExpectEndAsync("ERR too-long A message may have at most 10 bytes.\n"));
        Assert.Equal(ConnectionOutcome.ProtocolViolation, ended.Outcome);
    }

    [Fact]
    public async Task Drain_IdleAndInHand_EndsTheOneAndFinishesTheOther()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, time: _time);
        var (idle, busy) = (host.Connect(), host.Connect());
        await busy.SendAsync("first ");
        await busy.ReceivedAsync(6);
        idle.Connection.RequestClose();
        busy.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await idle.ExpectEndAsync()).Outcome);
        await busy.SendAsync("second");
        await busy.ReceivedAsync(12);
        Assert.Equal(ConnectionOutcome.Completed, (await busy.PassUntilAsync(_time, busy.ExpectEndAsync(Stored))).Outcome);
        Assert.Equal(["first second"], host.Store.Texts);
    }

    [Fact]
    public async Task QueueFull_TimeIsOver_IsRefusedAndNeverStored()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Once, new() { QueueRecords = 1 }, _time);
        host.Store.Hold();
        var (first, second) = (host.Connect(), host.Connect());
        await first.SendAsync("first");
        first.EndInput();
        await host.Store.AppendingAsync();
        await second.SendAsync("second");
        second.EndInput();
        await Bounded.UntilAsync(() => ConnectionState.Of(second.Connection)!.PeerClosed);
        var ended = second.EndedAsync();
        await Bounded.UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            ConnectionState.Of(second.Connection)!.Heartbeat();
            return ended.IsCompleted;
        });
        await second.ExpectEndAsync("ERR unavailable not stored, send it again\n");
        Assert.Equal(ConnectionOutcome.StorageUnavailable, (await ended).Outcome);
        host.Store.Release();
        await Bounded.UntilAsync(() => host.Queue.Records == 0);
        Assert.Equal(["first"], host.Store.Texts);
    }

    [Fact]
    public async Task Deduplicate_Key_IsTakenFromTheMessage()
    {
        await using var host = await RecordHost.StartAsync("""{ "Ack": "OK {id}\n", "Once": true, "Deduplicate": true }""", time: _time);
        var peer = host.Connect();
        await peer.SendAsync("@a/7 one");
        peer.EndInput();
        await peer.ExpectEndAsync("OK 1\n");
        var record = host.Store.Groups[0][0][0];
        Assert.Equal(("test", "127.0.0.1:50000", _time.GetUtcNow(), "a", 7L, "one"),
            (record.Endpoint, record.Remote, record.ReceivedAt, record.Sender, record.Sequence, record.Text));
    }

    [Theory]
    [InlineData("""{ "Once": true, "Framing": "Line" }""", "Options:Once: needs the framing Chunk")]
    [InlineData("""{ "Once": true, "OnceQuietTime": "-00:00:01" }""", "OnceQuietTime")]
    [InlineData("""{ "Once": true, "OnceQuietTime": "02:00:00" }""", "OnceQuietTime")]
    public async Task Options_ThatMakeNoSense_AreFaults(string options, string fault)
    {
        var exception = await Assert.ThrowsAsync<PerchConfigurationException>(() => RecordHost.StartAsync(options));
        Assert.Contains(fault, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OnceQuietTime_Default_Is100Milliseconds() =>
        Assert.Equal(TimeSpan.FromMilliseconds(100), new RecordOptions().OnceQuietTime);

    private static async Task<bool> IsAppending(RecordHost host)
    {
        await host.Store.AppendingAsync();
        return true;
    }

    private static async Task<(ConnectionOutcome Outcome, long Messages)> OutcomeAsync(Peer peer)
    {
        var ended = await peer.EndedAsync();
        return (ended.Outcome, ended.Messages);
    }
}

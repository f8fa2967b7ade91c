using Microsoft.Extensions.Time.Testing;
using Perch.Datagrams;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>Records that come as datagrams.</summary>
public sealed class RecordDatagramTests
{
    private const string Acked = """{ "Ack": "OK {id}\n" }""";

    [Fact]
    public async Task Answer_ToARecord_FollowsTheRow()
    {
        await using var host = await RecordDatagramHost.StartAsync(Acked);
        host.Store.Hold();
        host.Send("one");
        await host.Store.AppendingAsync();
        Assert.False(host.HasAnswer);
        host.Store.Release();

        Assert.Equal("OK 1\n", await host.ReceiveAsync());
        var record = Assert.Single(host.Store.Groups.SelectMany(g => g).SelectMany(b => b));
        Assert.Equal(("test", host.Peer, "one"), (record.Endpoint, record.Remote, record.Text));
    }

    [Fact]
    public async Task Datagram_WhateverTheFraming_IsOneRecord()
    {
        await using var host = await RecordDatagramHost.StartAsync("""{ "Framing": "Line", "Ack": "OK {id}" }""");
        host.Send("one\ntwo\n");
        Assert.Equal("OK 1", await host.ReceiveAsync());
        host.Send("");
        Assert.Equal("OK 2", await host.ReceiveAsync());

        Assert.Equal(["one\ntwo\n", ""], host.Store.Texts);
    }

    [Theory]
    [InlineData("Syslog", "<14>one\n\0", "<14>one")]
    [InlineData("Chunk", "one\n\0", "one\n\uFFFD")]
    public async Task Datagram_OfSyslog_LosesItsLineEnd(string framing, string sent, string stored)
    {
        await using var host = await RecordDatagramHost.StartAsync($$"""{ "Framing": "{{framing}}", "Ack": "OK {id}" }""");
        host.Send(sent);
        Assert.Equal("OK 1", await host.ReceiveAsync());
        Assert.Equal([stored], host.Store.Texts.Select(text => text.Replace('\0', '\uFFFD')));
    }

    [Fact]
    public async Task Datagrams_ThatOneReceiveBrings_AreOneBatch()
    {
        await using var host = await RecordDatagramHost.StartAsync(Acked);
        host.Store.Hold();
        host.Send("first");
        await host.Store.AppendingAsync();
        for (var i = 0; i < 20; i++) host.Send($"{i}");
        await Bounded.UntilAsync(() => host.Writer.NextQueue().Records == 21);
        host.Store.Release();

        for (var i = 1; i <= 21; i++) Assert.Equal($"OK {i}\n", await host.ReceiveAsync());
        Assert.Equal(["first", .. Enumerable.Range(0, 20).Select(i => $"{i}")], host.Store.Texts);
        // All that came while the first was committed is one transaction.
        Assert.Equal(2, host.Store.Groups.Length);
    }

    [Fact]
    public async Task Records_OverTheQueue_AreDroppedToldAndCounted()
    {
        await using var host = await RecordDatagramHost.StartAsync(Acked, new() { QueueRecords = 3 });
        host.Store.Hold();
        for (var i = 0; i < 10; i++) host.Send($"{i}");

        for (var i = 0; i < 7; i++) Assert.Equal("ERR unavailable not stored, send it again\n", await host.ReceiveAsync());
        Assert.Equal((7, 3), (host.Traffic.Dropped(DropReason.Queue), host.Writer.NextQueue().Records));
        host.Store.Release();
        for (var i = 1; i <= 3; i++) Assert.Equal($"OK {i}\n", await host.ReceiveAsync());
        Assert.Equal(["0", "1", "2"], host.Store.Texts);
    }

    [Fact]
    public async Task Records_ThatTheStoreRefuses_AreTold()
    {
        await using var host = await RecordDatagramHost.StartAsync(Acked);
        host.Store.Failure = new RecordStoreException("full", "no space");
        host.Send("one");

        Assert.Equal("ERR full not stored, send it again\n", await host.ReceiveAsync());
    }

    [Fact]
    public async Task Error_OfAnotherEndpoint_IsNotAnsweredWithOne()
    {
        await using var host = await RecordDatagramHost.StartAsync(Acked);
        host.Store.Failure = new RecordStoreException("full", "no space");
        host.Send("ERR full not stored, send it again\n");
        host.Send("one");

        Assert.Equal("ERR full not stored, send it again\n", await host.ReceiveAsync());
        await Bounded.UntilAsync(() => host.Writer.NextQueue().Records == 0);
        Assert.False(host.HasAnswer);
    }

    [Fact]
    public async Task Record_WhoseTimeIsOver_IsRefused()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordDatagramHost.StartAsync(Acked, time: time);
        host.Store.Hold();
        host.Send("one");
        await host.Store.AppendingAsync();

        // Who awaits the batch may be a moment behind who stores it.
        await Bounded.UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return host.HasAnswer;
        });

        Assert.Equal("ERR unavailable not stored, send it again\n", await host.ReceiveAsync());
    }

    [Fact]
    public async Task Endpoint_WithoutAck_StaysSilentAndStores()
    {
        await using var host = await RecordDatagramHost.StartAsync("""{ "Framing": "Syslog" }""");
        host.Send("<13>one");
        await Bounded.UntilAsync(() => host.Store.Texts.Length == 1);
        host.Store.Failure = new RecordStoreException("full", "no space");
        host.Send("<13>two");
        await Bounded.UntilAsync(() => host.Traffic.Messages == 2);
        await host.DrainAsync();

        Assert.False(host.HasAnswer);
        Assert.Equal(0, host.Traffic.Sent);
    }

    [Fact]
    public async Task Keys_OfRecordsSentAgain_AreStoredOnce()
    {
        await using var host = await RecordDatagramHost.StartAsync("""{ "Ack": "OK", "Deduplicate": true }""");
        host.Send("@sensor-1/7 hot");

        Assert.Equal("OK", await host.ReceiveAsync());
        var record = host.Store.Groups.Single().Single().Single();
        Assert.Equal(("sensor-1", 7L, "hot"), (record.Sender, record.Sequence, record.Text));
    }

    [Fact]
    public async Task Drain_WithRecordsOnTheirWay_AnswersThemFirst()
    {
        await using var host = await RecordDatagramHost.StartAsync(Acked);
        host.Store.Hold();
        host.Send("one");
        await host.Store.AppendingAsync();
        var draining = host.DrainAsync();
        Assert.False(draining.IsCompleted);
        host.Store.Release();

        await draining.Soon();
        Assert.Equal("OK 1\n", await host.ReceiveAsync());
    }

    [Fact]
    public void Names_OfForgedPeers_PushOthersOut()
    {
        var names = new RemoteNames();
        var first = names.Of(Peer(0));
        Assert.Same(first, names.Of(Peer(0)));
        for (var i = 1; i <= RemoteNames.Most; i++) names.Of(Peer(i));

        Assert.NotSame(first, names.Of(Peer(0)));
        Assert.Equal("10.0.0.0:514", first);

        static PeerAddress Peer(int i) => new(new(new System.Net.IPAddress([10, 0, (byte)(i >> 8), (byte)i]), 514));
    }
}

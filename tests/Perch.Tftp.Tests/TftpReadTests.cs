using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

public sealed class TftpReadTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(65536)]
    [InlineData(200_000)]
    public async Task Read_AnySize_IsTheFile(int size)
    {
        await using var host = await TftpHost.StartAsync();
        var bytes = FileFolder.Bytes(size);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();

        Assert.Equal(bytes, await peer.ReadAllAsync("f"));

        await host.UntilEndedAsync("completed");
        Assert.NotEqual(host.EndPoint, peer.Transfer);
        Assert.Equal(size, host.Readings.Sum("perch.tftp.bytes", "direction=read endpoint=test"));
        Assert.Equal(size, host.Readings.Sum("perch.files.sent", "endpoint=test"));
        Assert.Equal(0, host.Active);
        var line = Assert.Single(host.Logged("TftpEnded"));
        Assert.Equal(
            (LogLevel.Information, $"{size}", "512"),
            (line.Level, line.GetStructuredStateValue("Bytes"), line.GetStructuredStateValue("BlockSize")));
    }

    [Theory]
    [InlineData("a\nb\rc\r\n", "a\r\nb\r\0c\r\0\r\n")]
    [InlineData("", "")]
    public async Task Read_Netascii_HasTheWiresLineEnds(string text, string wire)
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", text);
        using var peer = host.Connect();
        Assert.Equal(wire, Encoding.ASCII.GetString(await peer.ReadAllAsync("f", "NETascii")));
    }

    [Fact]
    public async Task Read_NetasciiPairAcrossBlocks_IsOne()
    {
        await using var host = await TftpHost.StartAsync();
        var text = new string('x', 511) + "\n" + new string('y', 509) + "\r\n";
        await host.Store.PutAsync("f", text);
        using var peer = host.Connect();
        Assert.Equal(text.Replace("\r", "\r\0", StringComparison.Ordinal).Replace("\n", "\r\n", StringComparison.Ordinal), Encoding.ASCII.GetString(await peer.ReadAllAsync("f", "netascii")));
    }

    [Theory]
    [InlineData(65_536)]
    [InlineData(131_073)]
    public async Task Read_MoreBlocksThanANumberHas_RollsOver(int blocks)
    {
        await using var host = await TftpHost.StartAsync();
        var bytes = FileFolder.Bytes(((blocks - 1) * 8) + 3);
        await host.Store.PutAsync("f", bytes);
        using var client = new TftpClient(host.EndPoint) { BlockSize = 8, WindowSize = 64 };
        Assert.Equal(bytes, await client.ReadAsync("f"));
    }

    [Fact]
    public async Task Acknowledgment_Twice_SendsTheNextBlockOnce()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", FileFolder.Bytes(2000));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        peer.Acknowledge(1);
        peer.Acknowledge(2);
        peer.Acknowledge(2);
        await peer.DataAsync(3);
        peer.Acknowledge(3);
        await peer.DataAsync(4);
        peer.Acknowledge(4);
        await host.UntilEndedAsync("completed");
        Assert.False(peer.HasPacket);
        Assert.Equal(0, host.Readings.Sum("perch.tftp.resent", "direction=read endpoint=test"));
    }

    [Fact]
    public async Task Acknowledgment_OfABlockThatWasNotSent_IsPassedOver()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", FileFolder.Bytes(1200));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        foreach (var block in (int[])[0, 2, 3, 32768, 65535]) peer.Acknowledge(block);
        peer.Send("garbage that is no packet"u8);
        peer.Data(1, "not now"u8);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        peer.Acknowledge(2);
        await peer.DataAsync(3);
        peer.Acknowledge(3);
        await host.UntilEndedAsync("completed");
        Assert.False(peer.HasPacket);
    }

    [Fact]
    public async Task Packet_OfAStranger_IsError5AndTheTransferGoesOn()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        using var stranger = host.Connect();
        using var elsewhere = host.Connect("127.0.0.2");
        peer.Read("f");
        await peer.DataAsync(1);
        foreach (var other in (TftpPeer[])[stranger, elsewhere])
        {
            other.Transfer = peer.Transfer;
            // An ERROR is not answered, and ends nothing.
            other.Error(5);
            other.Send("x"u8);
            other.Acknowledge(1);
            await other.ErrorAsync(5);
            Assert.Equal(peer.Transfer, other.Transfer);
        }

        peer.Acknowledge(1);
        await peer.DataAsync(2);
        peer.Acknowledge(2);
        await host.UntilEndedAsync("completed");
        Assert.False(stranger.HasPacket || elsewhere.HasPacket);
        Assert.Equal(6, host.Readings.Sum("perch.tftp.strangers", "direction=read endpoint=test"));
    }

    [Fact]
    public async Task Request_Twice_IsOneTransfer()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", FileFolder.Bytes(1100));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        var transfer = peer.Transfer;
        peer.Read("f");
        await peer.DataAsync(1);
        Assert.Equal(transfer, peer.Transfer);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        // While the last block is on its way it would be the peer's next request.
        var received = host.Traffic.Messages;
        peer.Read("f");
        await Bounded.UntilAsync(() => host.Traffic.Messages > received);
        peer.Transfer = transfer;
        peer.Acknowledge(2);
        await peer.DataAsync(3);
        peer.Acknowledge(3);
        await host.UntilEndedAsync("completed");
        Assert.False(peer.HasPacket);
    }

    [Fact]
    public async Task Request_ForAnotherFileFromTheSamePort_TakesItsPlace()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        await host.Store.PutAsync("g", "other");
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        Assert.Equal("other"u8.ToArray(), await peer.ReadAllAsync("g"));
        await host.UntilEndedAsync("replaced");
    }

    [Fact]
    public async Task Offer_RefusedWithError8_EndsTheTransfer()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f", "tsize 0");
        Assert.Equal("tsize 5", await peer.OptionsAsync());
        peer.Error(8, "\u001b[2J no");
        await host.UntilEndedAsync("peer-error");
        Assert.False(peer.HasPacket);
        Assert.Equal(@"\x1B[2J no", Assert.Single(host.Logged("TftpPeerError")).GetStructuredStateValue("Text"));
        await EndedAsync(host, ConnectionOutcome.PeerReset);
    }

    [Fact]
    public async Task Data_NotAcknowledged_IsSentAgainLongerEachTimeAndGivenUp()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(time: time);
        await host.Store.PutAsync("f", FileFolder.Bytes(2000));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        foreach (var seconds in (int[])[1, 2, 4, 8, 8])
        {
            time.Advance(TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1));
            Assert.False(peer.HasPacket);
            time.Advance(TimeSpan.FromMilliseconds(1));
            await peer.DataAsync(2);
        }

        time.Advance(TimeSpan.FromSeconds(8));
        await peer.ErrorAsync(0);
        await host.UntilEndedAsync("timeout");
        await EndedAsync(host, ConnectionOutcome.IdleTimeout);
    }

    [Fact]
    public async Task Data_WithATimeoutOfThePeers_IsSentAgainAfterThat()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(time: time);
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        peer.Read("f", "timeout 3");
        await peer.OptionsAsync();
        peer.Acknowledge(0);
        await peer.DataAsync(1);
        for (var i = 0; i < 5; i++)
        {
            time.Advance(TimeSpan.FromSeconds(3));
            await peer.DataAsync(1);
        }

        peer.Acknowledge(1);
        await peer.DataAsync(2);
        peer.Acknowledge(2);
        await host.UntilEndedAsync("completed");
    }

    [Fact]
    public async Task LastAcknowledgment_Lost_IsAskedForAgain()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(time: time);
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f", "timeout 1");
        await peer.OptionsAsync();
        peer.Acknowledge(0);
        await peer.DataAsync(1);
        time.Advance(TimeSpan.FromSeconds(1));
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        await host.UntilEndedAsync("completed");
    }

    [Fact]
    public async Task LastAcknowledgment_NeverSent_IsAnOutcomeOfItsOwn()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync("""{ "Retries": 1 }""", time: time);
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f", "timeout 1");
        await peer.OptionsAsync();
        peer.Acknowledge(0);
        await peer.DataAsync(1);
        time.Advance(TimeSpan.FromSeconds(1));
        await peer.DataAsync(1);
        time.Advance(TimeSpan.FromSeconds(1));
        await host.UntilEndedAsync("unacknowledged");
        Assert.False(peer.HasPacket);
    }

    [Theory]
    [InlineData("", 1, 544)]
    [InlineData("blksize 1428 windowsize 64 tsize 0", 3, 264)]
    public async Task Request_ThatMayBeForged_IsWorthItsBudget(string options, int most, int mostBytes)
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(time: time);
        await host.Store.PutAsync("f", FileFolder.Bytes(100_000));
        using var peer = host.Connect();
        peer.Read("f", options);
        var (datagrams, bytes) = (1, (await peer.ReceiveAsync()).Length + 28);
        while (host.Ended("no-peer") == 0)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        while (peer.HasPacket) (datagrams, bytes) = (datagrams + 1, bytes + (await peer.ReceiveAsync()).Length + 28);
        Assert.InRange(datagrams, 1, most);
        Assert.InRange(bytes, 1, mostBytes);
        // Not at the level that is on: a flood of forged requests would fill the log.
        Assert.Empty(host.Logged("TftpEnded"));
        await EndedAsync(host, ConnectionOutcome.PeerReset);
    }

    [Fact]
    public async Task Window_OfSeveralBlocks_NeedsOneAcknowledgment()
    {
        await using var host = await TftpHost.StartAsync();
        var bytes = FileFolder.Bytes(8 * 10);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();
        await OpenWindowAsync(peer, 4);
        await BlocksAsync(peer, 1, 4, bytes);
        peer.Acknowledge(4);
        await BlocksAsync(peer, 5, 8, bytes);
        peer.Acknowledge(8);
        await BlocksAsync(peer, 9, 11, bytes);
        peer.Acknowledge(11);
        await host.UntilEndedAsync("completed");
        Assert.Equal(0, host.Readings.Sum("perch.tftp.resent", "direction=read endpoint=test"));
    }

    /// <summary>An acknowledgement may be forged to every port, so one is not worth the window as often as it may be sent again.</summary>
    [Fact]
    public async Task Window_NotAcknowledged_IsSentTwiceAndThenOnlyItsFirstBlock()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(time: time);
        var bytes = FileFolder.Bytes(8 * 10);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();
        await OpenWindowAsync(peer, 4);
        await BlocksAsync(peer, 1, 4, bytes);
        time.Advance(TimeSpan.FromSeconds(1));
        await BlocksAsync(peer, 1, 4, bytes);
        foreach (var seconds in (int[])[2, 4])
        {
            time.Advance(TimeSpan.FromSeconds(seconds));
            Assert.Equal(bytes[..8], await peer.DataAsync(1));
            Assert.False(peer.HasPacket);
        }

        // A peer that is there needs no more.
        peer.Acknowledge(1);
        await BlocksAsync(peer, 2, 5, bytes);
        peer.Acknowledge(5);
        await BlocksAsync(peer, 6, 9, bytes);
        peer.Acknowledge(9);
        await BlocksAsync(peer, 10, 11, bytes);
        peer.Acknowledge(11);
        await host.UntilEndedAsync("completed");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task LargeBlocks_NotAcknowledged_AreFewerBytesThanTheBoundHoweverOftenTheyMayBeSent(int windowSize)
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync("""{ "Retries": 100, "SinglePort": false }""", time: time);
        await host.Store.PutAsync("f", FileFolder.Bytes(2_000_000));
        using var peer = host.Connect();
        peer.Read("f", $"blksize 65464 windowsize {windowSize} timeout 1");
        await peer.OptionsAsync();
        peer.Acknowledge(0);
        // Before time passes: the server may not have received the acknowledgement yet.
        var bytes = (await peer.ReceiveAsync()).Length + 28L;
        while (host.Registry.Recent().Length == 0)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
            while (peer.HasPacket) bytes += (await peer.ReceiveAsync()).Length + 28;
        }

        while (peer.HasPacket) bytes += (await peer.ReceiveAsync()).Length + 28;
        Assert.Equal(1, host.Ended("timeout"));
        Assert.InRange(bytes, windowSize * 65464, TftpSender.MaxBytesPerAcknowledgment);
    }

    [Fact]
    public async Task Window_WithAGap_GoesOnBehindWhatHasCome()
    {
        await using var host = await TftpHost.StartAsync();
        var bytes = FileFolder.Bytes(8 * 10);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();
        await OpenWindowAsync(peer, 4);
        await BlocksAsync(peer, 1, 4, bytes);
        // 3 was lost. Whoever says that once more, says it late.
        peer.Acknowledge(2);
        peer.Acknowledge(2);
        await BlocksAsync(peer, 3, 6, bytes);
        peer.Acknowledge(6);
        await BlocksAsync(peer, 7, 10, bytes);
        peer.Acknowledge(10);
        await BlocksAsync(peer, 11, 11, bytes);
        peer.Acknowledge(11);
        await host.UntilEndedAsync("completed");
        Assert.False(peer.HasPacket);
    }

    [Fact]
    public async Task Window_WhoseFirstBlockIsLost_IsSentAgainWhenThePeerSaysSo()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(time: time);
        var bytes = FileFolder.Bytes(8 * 10);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();
        await OpenWindowAsync(peer, 4);
        await BlocksAsync(peer, 1, 4, bytes);
        time.Advance(TimeSpan.FromMilliseconds(50));
        peer.Acknowledge(4);
        await BlocksAsync(peer, 5, 8, bytes);
        // Sooner than an answer to this window could be here: a doubled acknowledgement, which is passed over.
        peer.Acknowledge(4);
        peer.Acknowledge(5);
        await BlocksAsync(peer, 6, 9, bytes);
        peer.Acknowledge(9);
        await BlocksAsync(peer, 10, 11, bytes);
        time.Advance(TimeSpan.FromMilliseconds(60));
        peer.Acknowledge(9);
        await BlocksAsync(peer, 10, 11, bytes);
        peer.Acknowledge(11);
        await host.UntilEndedAsync("completed");
        Assert.False(peer.HasPacket);
    }

    [Fact]
    public async Task Drain_WaitsForATransfer()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        var draining = host.DrainAsync();
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        Assert.False(draining.IsCompleted);
        peer.Acknowledge(2);
        await draining.Soon();
        Assert.Equal(1, host.Ended("completed"));
        await EndedAsync(host, ConnectionOutcome.Completed);
    }

    [Fact]
    public async Task Drain_AtItsDeadline_TellsThePeer()
    {
        await using var host = await TftpHost.StartAsync(drain: "00:00:00");
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        await host.DrainAsync().Soon();
        Assert.Equal("the server stops, try again later", await peer.ErrorAsync(0));
        Assert.Equal(1, host.Ended("aborted"));
        await EndedAsync(host, ConnectionOutcome.DrainAborted);
    }

    [Fact]
    public async Task File_ReplacedWhileItIsRead_IsTheOldOneToItsEnd()
    {
        await using var host = await TftpHost.StartAsync();
        var old = FileFolder.Bytes(1000, seed: 1);
        await host.Store.PutAsync("f", old);
        using var peer = host.Connect();
        peer.Read("f");
        var first = await peer.DataAsync(1);
        await host.Store.PutAsync("f", FileFolder.Bytes(1000, seed: 2));
        peer.Acknowledge(1);
        byte[] read = [.. first, .. await peer.DataAsync(2)];
        Assert.Equal(old, read);
        peer.Acknowledge(2);
    }

    internal static async Task EndedAsync(TftpHost host, ConnectionOutcome outcome)
    {
        await Bounded.UntilAsync(() => host.Registry.Recent().Length > 0);
        Assert.Equal(outcome, host.Registry.Recent()[0].Outcome);
    }

    private static async Task OpenWindowAsync(TftpPeer peer, int blocks)
    {
        peer.Read("f", $"blksize 8 windowsize {blocks}");
        Assert.Equal($"blksize 8 windowsize {blocks}", await peer.OptionsAsync());
        peer.Acknowledge(0);
    }

    private static async Task BlocksAsync(TftpPeer peer, int from, int to, byte[] bytes)
    {
        for (var block = from; block <= to; block++) Assert.Equal(bytes.Skip((block - 1) * 8).Take(8), await peer.DataAsync(block));
    }
}

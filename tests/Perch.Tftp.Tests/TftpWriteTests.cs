using System.Text;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

public sealed class TftpWriteTests
{
    private const string Writable = """{ "AllowWrite": true }""";

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(65536)]
    [InlineData(200_000)]
    public async Task Write_AnySize_IsStoredWhenTheLastBlockIsAcknowledged(int size)
    {
        await using var host = await TftpHost.StartAsync(Writable);
        var bytes = FileFolder.Bytes(size);
        using var peer = host.Connect();

        await peer.WriteAllAsync("boot/f", bytes);

        // No wait: it was durable and visible before the acknowledgement.
        Assert.Equal(bytes, await host.Store.ReadAsync("boot/f"));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(host.Folder.PathOf("boot/f")));
        await host.UntilEndedAsync("completed", "write");
        Assert.Equal(size, host.Readings.Sum("perch.files.received", "endpoint=test"));
        var file = (await host.Store.StatAsync("boot/f")).File!;
        Assert.Equal(("test", peer.Local.ToString()), (file.Endpoint, file.Remote));
        Assert.Empty(await host.Store.FaultsAsync());
    }

    [Fact]
    public async Task Write_UntilTheLastBlock_IsNotVisible()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        peer.Data(1, new byte[512]);
        await peer.AcknowledgedAsync(1);
        Assert.Null((await host.Store.StatAsync("f")).File);
        peer.Data(2, []);
        await peer.AcknowledgedAsync(2);
        Assert.Equal(512, (await host.Store.StatAsync("f")).File!.Length);
    }

    [Theory]
    [InlineData("a\r\nb\r\0c", "a\nb\rc")]
    [InlineData("a\r", "a\r")]
    public async Task Write_Netascii_HasThisSystemsLineEnds(string wire, string text)
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        await peer.WriteAllAsync("f", Encoding.ASCII.GetBytes(wire), "NetAscii");
        Assert.Equal(text, await host.Store.ReadTextAsync("f"));
    }

    [Fact]
    public async Task Write_NetasciiPairAcrossBlocks_IsOne()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        await peer.WriteAllAsync("f", Encoding.ASCII.GetBytes(new string('x', 511) + "\r\n" + new string('y', 510) + "\r"), "netascii");
        Assert.Equal(new string('x', 511) + "\n" + new string('y', 510) + "\r", await host.Store.ReadTextAsync("f"));
    }

    [Theory]
    [InlineData(65_536)]
    [InlineData(131_074)]
    public async Task Write_MoreBlocksThanANumberHas_RollsOver(int blocks)
    {
        await using var host = await TftpHost.StartAsync(Writable);
        var bytes = FileFolder.Bytes(((blocks - 1) * 8) + 3);
        using var client = new TftpClient(host.EndPoint) { BlockSize = 8, WindowSize = 64 };
        await client.WriteAsync("f", bytes);
        Assert.Equal(bytes, await host.Store.ReadAsync("f"));
    }

    [Fact]
    public async Task Write_OfANameThatIsThere_IsError6()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        await host.Store.PutAsync("f", "old");
        using var peer = host.Connect();
        peer.Write("f");
        await peer.ErrorAsync(6);
        Assert.Equal("old", await host.Store.ReadTextAsync("f"));
        Assert.Equal(1, host.Ended("exists", "write"));
    }

    [Fact]
    public async Task Write_OfANameThatHasComeSince_IsError6AtItsEnd()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var first = host.Connect();
        using var second = host.Connect();
        foreach (var peer in (TftpPeer[])[first, second])
        {
            peer.Write("f");
            await peer.AcknowledgedAsync(0);
        }

        first.Data(1, "first"u8);
        await first.AcknowledgedAsync(1);
        second.Data(1, "second"u8);
        await second.ErrorAsync(6);
        Assert.Equal("first", await host.Store.ReadTextAsync("f"));
        await Bounded.UntilAsync(() => host.Store.Totals is { Files: 1, Partials: 0 });
    }

    [Fact]
    public async Task Write_WhereItMayReplace_Replaces()
    {
        await using var host = await TftpHost.StartAsync("""{ "AllowWrite": true, "AllowOverwrite": true }""");
        await host.Store.PutAsync("f", "old");
        using var peer = host.Connect();
        await peer.WriteAllAsync("f", "new"u8.ToArray());
        Assert.Equal("new", await host.Store.ReadTextAsync("f"));
    }

    [Fact]
    public async Task Data_Twice_IsAcknowledgedTwiceAndTakenOnce()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        peer.Data(1, new byte[512]);
        await peer.AcknowledgedAsync(1);
        peer.Data(1, new byte[512]);
        await peer.AcknowledgedAsync(1);
        peer.Data(2, "end"u8);
        await peer.AcknowledgedAsync(2);
        Assert.Equal(515, (await host.Store.StatAsync("f")).File!.Length);
    }

    [Fact]
    public async Task LastAcknowledgment_Lost_IsSentAgainForAWhile()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(Writable, time: time);
        using var peer = host.Connect();
        using var stranger = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        peer.Data(1, "end"u8);
        await peer.AcknowledgedAsync(1);
        for (var i = 0; i < 3; i++)
        {
            peer.Data(1, "end"u8);
            await peer.AcknowledgedAsync(1);
        }

        await host.UntilEndedAsync("completed", "write");
        time.Advance(TimeSpan.FromSeconds(6));
        await TftpReadTests.EndedAsync(host, ConnectionOutcome.Completed);
    }

    [Fact]
    public async Task LastAcknowledgment_WhileTheEndpointDrains_IsNotWaitedFor()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        var draining = host.DrainAsync();
        peer.Data(1, "end"u8);
        await peer.AcknowledgedAsync(1);
        await draining.Soon();
        await TftpReadTests.EndedAsync(host, ConnectionOutcome.Completed);
    }

    [Fact]
    public async Task Window_WithAGap_IsToldAtOnceAndOnce()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f", "windowsize 4 blksize 8");
        Assert.Equal("blksize 8 windowsize 4", await peer.OptionsAsync());
        peer.Data(1, "11111111"u8);
        // 2 is lost.
        peer.Data(3, "33333333"u8);
        peer.Data(4, "44444444"u8);
        await peer.AcknowledgedAsync(1);
        foreach (var (block, text) in ((int, string)[])[(2, "22222222"), (3, "33333333"), (4, "44444444"), (5, "55555555")]) peer.Data(block, Encoding.ASCII.GetBytes(text));
        await peer.AcknowledgedAsync(5);
        // The acknowledgement is lost: the window comes again.
        foreach (var block in (int[])[2, 3, 4, 5]) peer.Data(block, "xxxxxxxx"u8);
        await peer.AcknowledgedAsync(5);
        peer.Data(6, "6"u8);
        await peer.AcknowledgedAsync(6);
        Assert.Equal("1111111122222222333333334444444455555555" + "6", await host.Store.ReadTextAsync("f"));
        Assert.False(peer.HasPacket);
    }

    [Fact]
    public async Task Offer_NotHeard_IsMadeAgainForTheSameRequest()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f", "tsize 3");
        Assert.Equal("tsize 3", await peer.OptionsAsync());
        var transfer = peer.Transfer;
        peer.Write("f", "tsize 3");
        Assert.Equal("tsize 3", await peer.OptionsAsync());
        Assert.Equal(transfer, peer.Transfer);
        peer.Data(1, "end"u8);
        await peer.AcknowledgedAsync(1);
    }

    [Fact]
    public async Task Data_LongerThanAgreed_IsError4AndLeavesNothing()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        peer.Data(1, new byte[513]);
        await peer.ErrorAsync(4);
        await Bounded.UntilAsync(() => host.Store.Totals is { Files: 0, Partials: 0 });
        await TftpReadTests.EndedAsync(host, ConnectionOutcome.ProtocolViolation);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Write_OfAnotherLengthThanAnnounced_IsError4AndLeavesNothing(int announced)
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Write("f", $"tsize {announced}");
        await peer.OptionsAsync();
        peer.Data(1, "end"u8);
        await peer.ErrorAsync(4);
        await Bounded.UntilAsync(() => host.Store.Totals is { Files: 0, Partials: 0 });
    }

    [Fact]
    public async Task Write_OfMoreThanTheStoreTakes_IsError3()
    {
        await using var host = await TftpHost.StartAsync(Writable, store: """, "MaxFileBytes": 1000""");
        using var peer = host.Connect();
        peer.Write("f", "tsize 1001");
        Assert.Equal("a file has at most 1000 bytes", await peer.ErrorAsync(3));
        // One that has said nothing is found out while it comes.
        peer.Write("g", "blksize 65464");
        await peer.OptionsAsync();
        peer.Data(1, new byte[65464]);
        await peer.AcknowledgedAsync(1);
        peer.Data(2, "end"u8);
        await peer.ErrorAsync(3);
        await Bounded.UntilAsync(() => host.Store.Totals is { Files: 0, Partials: 0 });
        Assert.Equal(2, host.Ended("full", "write"));
    }

    /// <summary>A request may be forged: until the peer has sent a block, what it announces is not taken from others.</summary>
    [Fact]
    public async Task Write_AnnouncedSize_IsReservedWhenThePeerIsProven()
    {
        await using var host = await TftpHost.StartAsync(Writable, store: """, "MaxBytes": 2000""");
        using var forged = host.Connect();
        using var peer = host.Connect();
        forged.Write("forged", "tsize 2000");
        await forged.OptionsAsync();

        peer.Write("a", "tsize 1500");
        await peer.OptionsAsync();
        peer.Data(1, new byte[512]);
        await peer.AcknowledgedAsync(1);

        // Now the space is the peer's, and no other's.
        forged.Data(1, new byte[512]);
        Assert.Equal("the store has at most 2000 bytes", await forged.ErrorAsync(3));
        peer.Data(2, new byte[512]);
        await peer.AcknowledgedAsync(2);
        peer.Data(3, new byte[476]);
        await peer.AcknowledgedAsync(3);
        Assert.Equal(1500, (await host.Store.StatAsync("a")).File!.Length);
        await Bounded.UntilAsync(() => host.Store.Totals is { Files: 1, Bytes: 1500, Partials: 0 });
    }

    [Fact]
    public async Task Write_WhosePeerGoesSilent_IsGivenUpAndLeavesNothing()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync("""{ "AllowWrite": true, "Retries": 2 }""", time: time);
        using var peer = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        peer.Data(1, new byte[512]);
        await peer.AcknowledgedAsync(1);
        foreach (var seconds in (int[])[1, 2])
        {
            time.Advance(TimeSpan.FromSeconds(seconds));
            await peer.AcknowledgedAsync(1);
        }

        time.Advance(TimeSpan.FromSeconds(4));
        await peer.ErrorAsync(0);
        await host.UntilEndedAsync("timeout", "write");
        await Bounded.UntilAsync(() => host.Store.Totals is { Files: 0, Partials: 0 });
    }

    [Fact]
    public async Task Packet_OfAStranger_IsError5AndTheTransferGoesOn()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        using var stranger = host.Connect();
        peer.Write("f");
        await peer.AcknowledgedAsync(0);
        stranger.Transfer = peer.Transfer;
        stranger.Data(1, "evil"u8);
        await stranger.ErrorAsync(5);
        peer.Data(1, "good"u8);
        await peer.AcknowledgedAsync(1);
        Assert.Equal("good", await host.Store.ReadTextAsync("f"));
    }
}

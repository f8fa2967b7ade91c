using Microsoft.Extensions.Time.Testing;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

/// <summary>
/// A peer that sends the same request from the same port as soon as its transfer is over. The clock stands still: nothing is sent again,
/// so a request that is lost is never answered.
/// </summary>
public sealed class TftpNextRequestTests
{
    private const int Times = 30;

    [Theory]
    [InlineData(false, 5)]
    [InlineData(false, 1030)]
    [InlineData(true, 5)]
    [InlineData(true, 1030)]
    public async Task Read_RightAfterTheLastAcknowledgement_IsServed(bool singlePort, int size)
    {
        await using var host = await StartAsync(singlePort);
        var bytes = FileFolder.Bytes(size);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();
        for (var i = 0; i < Times; i++) Assert.Equal(bytes, await peer.ReadAllAsync("f"));
        await host.UntilEndedAsync("completed", times: Times);
    }

    /// <summary>A boot loader asks for the size, and then reads with the same options.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Read_RightAfterTheErrorThatEndsAProbe_IsServed(bool singlePort)
    {
        await using var host = await StartAsync(singlePort);
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        for (var i = 0; i < Times; i++)
        {
            peer.Read("f", "tsize 0");
            Assert.Equal("tsize 5", await peer.OptionsAsync());
            peer.Error(8, "only the size");
        }

        peer.Read("f", "tsize 0");
        Assert.Equal("tsize 5", await peer.OptionsAsync());
        peer.Acknowledge(0);
        Assert.Equal("hello"u8.ToArray(), await peer.DataAsync(1));
        peer.Acknowledge(1);
        await host.UntilEndedAsync("completed");
        await host.UntilEndedAsync("peer-error", times: Times);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Write_RightAfterTheLastAcknowledgement_IsServed(bool singlePort)
    {
        await using var host = await StartAsync(singlePort);
        using var peer = host.Connect();
        for (var i = 0; i < Times; i++) await peer.WriteAllAsync("f", [(byte)i]);
        Assert.Equal([Times - 1], await host.Store.ReadAsync("f"));
    }

    /// <summary>A request that the network doubles is one transfer, though it arrives while the last block is on its way.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Read_RequestTwice_IsOneTransferWhoseBlockComesTwice(bool singlePort)
    {
        await using var host = await StartAsync(singlePort);
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f");
        Assert.Equal("hello"u8.ToArray(), await peer.DataAsync(1));
        var transfer = peer.Transfer;
        peer.Read("f");
        Assert.Equal("hello"u8.ToArray(), await peer.DataAsync(1));
        Assert.Equal(transfer, peer.Transfer);
        peer.Acknowledge(1);
        await host.UntilEndedAsync("completed");
        await Bounded.UntilAsync(() => host.Active == 0);
        Assert.False(peer.HasPacket);
    }

    private static Task<TftpHost> StartAsync(bool singlePort) => TftpHost.StartAsync(
        $$"""{ "AllowWrite": true, "AllowOverwrite": true, "SinglePort": {{(singlePort ? "true" : "false")}} }""", time: new FakeTimeProvider());
}

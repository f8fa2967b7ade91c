using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

public sealed class TftpSinglePortTests
{
    private const string SinglePort = """{ "SinglePort": true, "AllowWrite": true }""";

    [Fact]
    public async Task Transfer_ReadAndWrite_IsFromTheEndpointsPort()
    {
        await using var host = await TftpHost.StartAsync(SinglePort);
        var bytes = FileFolder.Bytes(5000);
        using var peer = host.Connect();
        await peer.WriteAllAsync("f", bytes);
        Assert.Equal(host.EndPoint, peer.Transfer);
        // From the same port, while the last acknowledgement could still be asked for again.
        Assert.Equal(bytes, await peer.ReadAllAsync("f"));
        Assert.Equal(host.EndPoint, peer.Transfer);
        await host.UntilEndedAsync("completed");
        await TftpReadTests.EndedAsync(host, ConnectionOutcome.Completed);
    }

    [Fact]
    public async Task Transfer_WithAWindow_IsWhole()
    {
        await using var host = await TftpHost.StartAsync(SinglePort);
        var bytes = FileFolder.Bytes(3_000_000);
        using (var writer = new TftpClient(host.EndPoint) { BlockSize = 1428, WindowSize = 64 }) await writer.WriteAsync("f", bytes);
        using var reader = new TftpClient(host.EndPoint) { BlockSize = 1428, WindowSize = 64 };
        Assert.Equal(bytes, await reader.ReadAsync("f"));
    }

    [Fact]
    public async Task Peer_OutsideTheNetworks_GetsAPortOfItsTransfers()
    {
        await using var host = await TftpHost.StartAsync("""{ "SinglePort": true, "SinglePortNetworks": [ "10.0.0.0/8", "127.0.0.2/32" ] }""");
        await host.Store.PutAsync("f", "hello");
        using var outside = host.Connect();
        using var inside = host.Connect("127.0.0.2");
        await outside.ReadAllAsync("f");
        await inside.ReadAllAsync("f");
        Assert.NotEqual(host.EndPoint, outside.Transfer);
        Assert.Equal(host.EndPoint, inside.Transfer);
    }

    [Fact]
    public async Task Request_Twice_IsOneTransfer()
    {
        await using var host = await TftpHost.StartAsync(SinglePort);
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        // Late: the transfer is under way.
        peer.Read("f");
        peer.Acknowledge(2);
        await host.UntilEndedAsync("completed");
        Assert.False(peer.HasPacket);
    }

    [Fact]
    public async Task Request_OfAPeerThatHasStartedAnew_BeginsAnew()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync(SinglePort, time: time);
        var bytes = FileFolder.Bytes(600);
        await host.Store.PutAsync("f", bytes);
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        time.Advance(TimeSpan.FromSeconds(1));
        await peer.DataAsync(2);
        // The machine was reset, and asks from the same port as a boot loader does.
        Assert.Equal(bytes, await peer.ReadAllAsync("f"));
        await host.UntilEndedAsync("replaced");
        await host.UntilEndedAsync("completed");
    }

    [Fact]
    public async Task Request_ForAFileThatIsNotThere_AfterAnother_IsRefused()
    {
        await using var host = await TftpHost.StartAsync(SinglePort);
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Read("missing");
        await peer.ErrorAsync(1);
        await host.UntilEndedAsync("replaced");
    }

    [Fact]
    public async Task Packet_OfNoTransfer_IsError5()
    {
        await using var host = await TftpHost.StartAsync(SinglePort);
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        using var stranger = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        stranger.Acknowledge(1);
        await stranger.ErrorAsync(5);
        stranger.Error(5);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        peer.Acknowledge(2);
        await host.UntilEndedAsync("completed");
        Assert.False(stranger.HasPacket);
    }

    [Fact]
    public async Task Drain_WaitsForATransfer()
    {
        await using var host = await TftpHost.StartAsync(SinglePort);
        await host.Store.PutAsync("f", FileFolder.Bytes(600));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        var draining = host.DrainAsync();
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        peer.Acknowledge(2);
        await draining.Soon();
        Assert.Equal(1, host.Ended("completed"));
    }
}

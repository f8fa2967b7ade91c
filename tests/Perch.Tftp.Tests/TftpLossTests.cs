using Microsoft.Extensions.Time.Testing;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

/// <summary>Transfers through a bad network: 5 % lost, doubled and late, each way.</summary>
public sealed class TftpLossTests
{
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(40);

    [Theory]
    [InlineData(1, null, null, 60_000, false)]
    [InlineData(2, 1428, null, 150_000, false)]
    [InlineData(3, 1428, 16, 600_000, false)]
    [InlineData(4, 512, 64, 600_000, false)]
    [InlineData(5, null, null, 60_000, true)]
    [InlineData(6, 1428, 16, 600_000, true)]
    public async Task Transfer_EachWay_IsWhole(int seed, int? blockSize, int? windowSize, int size, bool singlePort)
    {
        await using var host = await TftpHost.StartAsync($$"""{ "AllowWrite": true, "SinglePort": {{(singlePort ? "true" : "false")}}, "Retries": 30, "Timeout": "00:00:00.0400000" }""");
        await using var relay = new LossyRelay(host.EndPoint, seed, loss: 0.05, doubling: 0.05, delay: TimeSpan.Zero, jitter: TimeSpan.FromMilliseconds(3));
        var bytes = FileFolder.Bytes(size, seed);

        using (var writer = new TftpClient(relay.EndPoint) { BlockSize = blockSize, WindowSize = windowSize, Timeout = Quick }) await writer.WriteAsync("f", bytes);
        Assert.Equal(bytes, await host.Store.ReadAsync("f"));
        using var reader = new TftpClient(relay.EndPoint) { Dallies = true, BlockSize = blockSize, WindowSize = windowSize, Timeout = Quick };
        Assert.Equal(bytes, await reader.ReadAsync("f"));

        Assert.True(relay.Lost > 0);
        await Bounded.UntilAsync(() => host.Ended("completed") + host.Ended("unacknowledged") == 1);
        Assert.Equal(1, host.Ended("completed", "write"));
    }

    [Fact]
    public async Task Transfer_WithADelayOf50Milliseconds_IsWhole()
    {
        await using var host = await TftpHost.StartAsync("""{ "AllowWrite": true, "Retries": 30 }""");
        await using var relay = new LossyRelay(host.EndPoint, 7, loss: 0.05, doubling: 0.05, delay: TimeSpan.FromMilliseconds(50), jitter: TimeSpan.FromMilliseconds(20));
        var bytes = FileFolder.Bytes(100_000);
        using (var writer = new TftpClient(relay.EndPoint) { BlockSize = 1428, WindowSize = 32, Timeout = TimeSpan.FromMilliseconds(250) }) await writer.WriteAsync("f", bytes);
        using var reader = new TftpClient(relay.EndPoint) { Dallies = true, BlockSize = 1428, WindowSize = 32, Timeout = TimeSpan.FromMilliseconds(250) };
        Assert.Equal(bytes, await reader.ReadAsync("f"));
    }

    [Fact]
    public async Task Transfer_ThroughANetworkThatBreaks_EndsWithinItsLimits()
    {
        var time = new FakeTimeProvider();
        await using var host = await TftpHost.StartAsync("""{ "AllowWrite": true }""", time: time);
        await host.Store.PutAsync("f", FileFolder.Bytes(100_000));
        using var peer = host.Connect();
        peer.Read("f");
        await peer.DataAsync(1);
        peer.Acknowledge(1);
        await peer.DataAsync(2);
        // Nothing comes any more.
        while (host.Ended("timeout") == 0)
        {
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        for (var again = 0; again < 5; again++) await peer.DataAsync(2);
        await peer.ErrorAsync(0);
        Assert.False(peer.HasPacket);
        Assert.Equal(0, host.Active);
    }
}

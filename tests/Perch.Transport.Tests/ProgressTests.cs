using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

/// <summary>What a connection tells of itself while it is used.</summary>
public sealed class ProgressTests
{
    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Progress_OfADialogue_CountsAndSaysWhatWaits(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var progress = server.Features.Get<IConnectionProgressFeature>()!;
        Assert.False(progress.IsReadPending);

        var reading = server.Transport.Input.ReadAsync().AsTask();
        Assert.True(progress.IsReadPending);
        await client.SendTextAsync("12345");
        var read = await reading.Soon();
        Assert.False(progress.IsReadPending);
        server.Transport.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        await client.SendTextAsync("678");
        // What is seen again is counted once.
        read = await server.Transport.Input.ReadUntilAsync(8);
        Assert.Equal("12345678", read.Text());
        server.Transport.Input.AdvanceTo(read.Buffer.End);
        Assert.Equal(8, progress.BytesReceived);

        await server.Transport.Output.WriteAsync("abc"u8.ToArray()).Soon();
        Assert.Equal((3, 0), (progress.BytesSent, progress.FlushWaits & 1));
        var flushing = server.Transport.Output.WriteAsync(new byte[16_000_000]).AsTask();
        Assert.Equal(1, progress.FlushWaits & 1);
        var (waits, sent) = (progress.FlushWaits, progress.BytesSent);
        Assert.InRange(sent, 3, 16_000_002);
        await client.ReceiveExactlyAsync(16_000_003);
        await flushing.Soon();
        Assert.Equal((16_000_003, 0), (progress.BytesSent, progress.FlushWaits & 1));
        Assert.NotEqual(waits, progress.FlushWaits);

        Assert.False(progress.HasPeerEnded || progress.HasPeerLeft);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Progress_OfAPeerThatEndsOrLeaves_SaysSo(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        client.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        Assert.True((await server.Transport.Input.ReadAsync().Soon()).IsCompleted);
        var progress = server.Features.Get<IConnectionProgressFeature>()!;
        Assert.Equal((true, false), (progress.HasPeerEnded, progress.HasPeerLeft));

        server.Abort(new ConnectionAbortedException("enough"));
        Assert.True((await server.Transport.Output.WriteAsync("x"u8.ToArray()).Soon()).IsCompleted);
        Assert.True(progress.HasPeerLeft);
    }
}

using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

public sealed class SendFileTests
{
    private const int Length = 12_000_000;

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task SendFileAsync_BehindWhatWasWritten_ArrivesWhole(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var sent = PeerExtensions.Pattern(Length);
        var receiving = client.ReceiveExactlyAsync(7 + Length - 1000 + 5);
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(path, sent);
            using var file = File.OpenHandle(path);
            server.Transport.Output.Write("before "u8);
            Assert.Equal(Length - 1000, await server.Features.Get<ISendFileFeature>()!.SendFileAsync(file, 1000, Length).Soon());
            await server.Transport.Output.WriteAsync("after"u8.ToArray()).Soon();
        }
        finally
        {
            File.Delete(path);
        }

        var received = await receiving;
        Assert.True(received.AsSpan(0, 7).SequenceEqual("before "u8));
        Assert.True(received.AsSpan(7, Length - 1000).SequenceEqual(sent.AsSpan(1000)));
        Assert.True(received.AsSpan(^5..).SequenceEqual("after"u8));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task SendFileAsync_PeerDoesNotRead_EndsWhenAborted(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(path, new byte[Length]);
            using var file = File.OpenHandle(path);
            var sending = server.Features.Get<ISendFileFeature>()!.SendFileAsync(file, 0, Length).Soon();
            await Task.WhenAny(sending, Task.Delay(100));
            Assert.False(sending.IsCompleted);
            server.Abort(new ConnectionAbortedException("enough"));

            Assert.InRange(await sending, 0, Length - 1);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task SendFileFeature_WhileTheTransportIsReplaced_IsGone(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        var own = server.Transport;
        server.Transport = new Replaced(own.Input, own.Output);
        Assert.Null(server.Features.Get<ISendFileFeature>());
        Assert.Null(server.Features.Get<IConnectionProgressFeature>());
        Assert.DoesNotContain(server.Features, feature => feature.Key == typeof(ISendFileFeature));
        server.Transport = own;
        Assert.NotNull(server.Features.Get<ISendFileFeature>());
    }

    private sealed record Replaced(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}

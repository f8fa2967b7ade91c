using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

public sealed partial class SendFileTests
{
    private const int Length = 12_000_000;
    private const int DontNeed = 4;

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
    public async Task SendFileAsync_FileIsNotInMemory_SendsNothingUntilItIs(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        // Beside the test, which is on a disk: the folder for temporary files may be in memory.
        var path = Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName());
        try
        {
            var sent = PeerExtensions.Pattern(Length);
            await File.WriteAllBytesAsync(path, sent);
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(file);
            Assert.Equal(0, Forget((int)file.DangerousGetHandle(), 0, 0, DontNeed));
            var feature = server.Features.Get<ISendFileFeature>()!;
            Assert.Equal(0, await feature.SendFileAsync(file, 0, Length).Soon());

            Assert.Equal(Length, RandomAccess.Read(file, new byte[Length], 0));
            var receiving = client.ReceiveExactlyAsync(Length);
            Assert.Equal(Length, await feature.SendFileAsync(file, 0, Length).Soon());
            Assert.True((await receiving).AsSpan().SequenceEqual(sent));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(4095, 2)]
    [InlineData(5000, 100_000)]
    [InlineData(0, 600_000)]
    public async Task SendFileAsync_RangesOffThePages_ArriveWhole(long offset, int length)
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct);
        var (server, client) = await host.ConnectAsync();
        var path = Path.GetTempFileName();
        try
        {
            var sent = PeerExtensions.Pattern(600_000);
            await File.WriteAllBytesAsync(path, sent);
            using var file = File.OpenHandle(path);
            var receiving = client.ReceiveExactlyAsync(length);
            Assert.Equal(length, await server.Features.Get<ISendFileFeature>()!.SendFileAsync(file, offset, length).Soon());
            Assert.True((await receiving).AsSpan().SequenceEqual(sent.AsSpan((int)offset, length)));
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

    /// <summary>posix_fadvise(2): what is not dirty leaves the memory.</summary>
    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Forget(int file, long offset, long length, int advice);

    private sealed record Replaced(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}

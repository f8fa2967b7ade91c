using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Perch.Diagnostics;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Shared;
using Perch.Transport;

namespace Perch.FunctionalTests;

/// <summary>What only the direct transport has.</summary>
public sealed partial class DirectTransportTests
{
    private const int Both = 2;

    [Fact]
    public async Task Handler_BlocksItsLoop_IsInMetricAndLog()
    {
        using var scene = new BlockingScene();
        await using var host = await scene.StartAsync();
        using var client = await scene.BlockAsync(host, "inline");
        await Poll.UntilAsync(async () => await HoldsAsync(host, "inline") == 1, () => "the hold is counted");

        scene.Go.Release();
        Assert.Equal("x", await client.ReceiveTextAsync(1));
        await Poll.UntilAsync(() => host.Log.Contains("A handler of endpoint inline holds a loop for more than 100 ms", StringComparison.Ordinal), () => host.Log);
    }

    [Fact]
    public async Task Handler_BlocksOnTheThreadPool_HoldsNoLoop()
    {
        using var scene = new BlockingScene();
        await using var host = await scene.StartAsync();
        using var pooled = await scene.BlockAsync(host, "pooled");
        // The one that is seen to hold began after the other.
        using var inline = await scene.BlockAsync(host, "inline");
        await Poll.UntilAsync(async () => await HoldsAsync(host, "inline") == 1, () => "the hold is counted");

        Assert.Equal(0, await HoldsAsync(host, "pooled"));
        scene.Go.Release(2);
        Assert.Equal("x", await pooled.ReceiveTextAsync(1));
        Assert.Equal("x", await inline.ReceiveTextAsync(1));
    }

    [Fact]
    public async Task Listener_Dies_EndpointIsFailedAndBoundAgainOnItsPort()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { SocketEngine = "Direct" }.With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        using var before = await host.ConnectAsync("echo");
        Assert.Equal("GOT:x", await before.AskAsync("x", 5));
        var port = await host.Admin.GetPortAsync("echo");
        ShutListener(port);

        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Single().State == "Failed", () => "the endpoint is Failed");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await host.Admin.GetReadyAsync()).Status);
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("echo") is not null, () => "it is bound again");
        Assert.Equal(port, await host.Admin.GetPortAsync("echo"));
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
        using var after = await host.ConnectAsync("echo");
        Assert.Equal("GOT:y", await after.AskAsync("y", 5));
        Assert.Equal("GOT:z", await before.AskAsync("z", 5));
        await Poll.UntilAsync(() => host.Log.Contains("The listener of 127.0.0.1:", StringComparison.Ordinal), () => host.Log);
    }

    [Fact]
    public async Task Connection_WithASpan_StillSendsFilesAndCountsBytes()
    {
        using var spans = new SpanRecorder(PerchTracing.SourceName);
        await using var host = await PerchHost.StartAsync(
            new ServerSettings { SocketEngine = "Direct" }.With("spanned", """{ "Port": 0, "Protocol": "spanned" }"""),
            perch => perch.AddProtocol<SendFileHandler>("spanned"));
        using var client = await host.ConnectAsync("spanned");
        Assert.Equal("True", await client.AskAsync("abc", 4));
        await client.AwaitEndAsync();
        await Poll.UntilAsync(() => spans.OfEndpoint("spanned").Count == 1, () => "the span ends");

        var span = spans.OfEndpoint("spanned")[0];
        Assert.Equal((3L, 4L), (span.GetTagItem("perch.bytes.received"), span.GetTagItem("perch.bytes.sent")));
        Assert.Equal(["first_byte"], span.Events.Select(e => e.Name));
    }

    /// <summary>Finds the listening socket among this process's descriptors, and shuts it down.</summary>
    private static void ShutListener(int port)
    {
        var local = $":{port.ToString("X4", CultureInfo.InvariantCulture)}";
        var inode = (from line in File.ReadLines("/proc/net/tcp")
                     let words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
                     where words[1].EndsWith(local, StringComparison.Ordinal) && words[3] == "0A"
                     select words[9]).Single();
        var name = Directory.GetFileSystemEntries("/proc/self/fd").Single(name => new FileInfo(name).LinkTarget == $"socket:[{inode}]");
        Assert.Equal(0, Shutdown(int.Parse(Path.GetFileName(name), CultureInfo.InvariantCulture), Both));
    }

    [LibraryImport("libc", EntryPoint = "shutdown")]
    private static partial int Shutdown(int socket, int how);

    private static async Task<double> HoldsAsync(PerchHost host, string endpoint) =>
        (await host.Admin.GetMetricsAsync()).Sum("perch_loop_held_total", $"endpoint=\"{endpoint}\"", "protocol=\"blocks\"");

    private sealed class BlockingScene : IDisposable
    {
        public SemaphoreSlim Waiting { get; } = new(0);

        public SemaphoreSlim Go { get; } = new(0);

        public Task<PerchHost> StartAsync() => PerchHost.StartAsync(
            new ServerSettings { SocketEngine = "Direct" }
                .With("inline", """{ "Port": 0, "Protocol": "blocks" }""")
                .With("pooled", """{ "Port": 0, "Protocol": "blocks", "Scheduling": "ThreadPool" }"""),
            perch =>
            {
                perch.Services.AddSingleton(this);
                perch.AddProtocol<BlockingOnLoopHandler>("blocks");
            });

        /// <summary>A client whose handler goes on, and blocks, where the endpoint's scheduling has it.</summary>
        public async Task<Client> BlockAsync(PerchHost host, string endpoint)
        {
            var client = await host.ConnectAsync(endpoint);
            Assert.True(await Waiting.WaitAsync(Poll.Deadline));
            await client.SendAsync("x");
            return client;
        }

        public void Dispose()
        {
            Waiting.Dispose();
            Go.Dispose();
        }
    }

    /// <summary>Answers whether files can be sent past the pipe.</summary>
    private sealed class SendFileHandler : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            var canSendFiles = connection.Features.Get<ISendFileFeature>() is not null;
            var read = await connection.Transport.Input.ReadAtLeastAsync(3);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            await connection.Transport.Output.WriteAsync(Encoding.ASCII.GetBytes(canSendFiles.ToString()));
        }
    }

    private sealed class BlockingOnLoopHandler(BlockingScene scene) : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            var reading = connection.Transport.Input.ReadAsync();
            if (!reading.IsCompleted) scene.Waiting.Release();
            var read = await reading;
            if (!scene.Go.Wait(Poll.Deadline)) return;
            foreach (var segment in read.Buffer) await connection.Transport.Output.WriteAsync(segment);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
        }
    }
}

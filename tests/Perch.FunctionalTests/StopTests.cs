using System.Buffers;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Perch.FunctionalTests.Hosting;
using Perch.Messages;

namespace Perch.FunctionalTests;

[Collection(AloneCollection.Name)]
public sealed class StopTests
{
    private const string Line = """{ "Port": 0, "Protocol": "echo", "Options": { "Framing": "Line" } }""";

    [Fact]
    public async Task Sigterm_ThousandConnectionsHundredMidMessage_EveryoneEndsInOrder()
    {
        const int Idle = 900;
        const int Busy = 100;
        using var folder = new ServerFolder(new ServerSettings { Drain = "00:00:20", Log = "Warning" }.With("echo", Line));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("echo");
        var idle = await Task.WhenAll(Enumerable.Range(0, Idle).Select(_ => Client.ConnectAsync(port)));
        var busy = await Task.WhenAll(Enumerable.Range(0, Busy).Select(_ => Client.ConnectAsync(port)));
        // Half of the idle ones have talked before, half never said a word.
        await Task.WhenAll(idle.Take(Idle / 2).Select(async c => Assert.Equal("GOT:x", await c.AskAsync("x\n", 5))));
        await Task.WhenAll(busy.Select(c => c.SendAsync("half a line")));
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Count(c => c.BytesReceived == 11) == Busy
            && (await server.Admin.GetConnectionsAsync()).Count == Idle + Busy, () => "all are there");

        var stopping = Stopwatch.StartNew();
        server.Signal(ServerProcess.Sigterm);
        // Those who wait for nothing are let go while the others still talk.
        await Task.WhenAll(idle.Select(async c => Assert.Empty(await c.ReceiveToEndAsync())));
        Assert.False(server.HasExited);
        await Task.WhenAll(busy.Select(async (c, i) =>
        {
            await c.SendAsync($" and {i:000}\n");
            Assert.Equal($"GOT:half a line and {i:000}", await c.ReceiveTextToEndAsync());
        }));
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
        Assert.InRange(stopping.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        foreach (var client in idle.Concat(busy)) client.Dispose();
    }

    [Theory]
    [InlineData("echo-conversation")]
    [InlineData("echo-raw")]
    public async Task Sigterm_HalfALine_OtherShapesWaitForTheRestToo(string protocol)
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", $$"""{ "Port": 0, "Protocol": "{{protocol}}", "Options": { "Framing": "Line" } }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var idle = await server.ConnectAsync("echo");
        using var busy = await server.ConnectAsync("echo");
        Assert.Equal("GOT:x", await idle.AskAsync("x\n", 5));
        await busy.SendAsync("half");
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Any(c => c.BytesReceived == 4), () => "half a line is there");
        server.Signal(ServerProcess.Sigterm);
        Assert.Empty(await idle.ReceiveToEndAsync());
        await busy.SendAsync(" and half\n");
        Assert.Equal("GOT:half and half", await busy.ReceiveTextToEndAsync());
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
    }

    [Theory]
    [InlineData("echo-blocking")]
    [InlineData("hello")]
    [InlineData("reply")]
    [InlineData("bytes")]
    [InlineData("discard")]
    public async Task Sigint_IdleConnection_GetsAFinAndTheServerExits0(string protocol)
    {
        using var folder = new ServerFolder(new ServerSettings { Drain = "00:00:20" }.With("it", $$"""{ "Port": 0, "Protocol": "{{protocol}}" }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await server.ConnectAsync("it");
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Count == 1, () => "it is there");
        server.Signal(ServerProcess.Sigint);
        Assert.Equal(protocol == "bytes" ? [1, 2, 3, 4] : [], await client.ReceiveToEndAsync());
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
    }

    [Fact]
    public async Task Sigquit_HalfALine_IsWaitedForAndTheServerExits0()
    {
        using var folder = new ServerFolder(new ServerSettings { Drain = "00:00:20" }.With("echo", Line));
        await using var server = await ServerProcess.StartAsync(folder);
        using var busy = await server.ConnectAsync("echo");
        await busy.SendAsync("half");
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Any(c => c.BytesReceived == 4), () => "half a line is there");
        server.Signal(ServerProcess.Sigquit);
        await Poll.UntilAsync(async () => (await server.Admin.GetEndpointsAsync()).Single().State == "Draining", () => "it drains");
        await busy.SendAsync(" and half\n");
        Assert.Equal("GOT:half and half", await busy.ReceiveTextToEndAsync());
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
    }

    /// <summary>A closed terminal, or an operator's habit: connections stay, and the files are read.</summary>
    [Fact]
    public async Task Sighup_WhileServing_ReadsTheFilesAndKeepsConnections()
    {
        var settings = new ServerSettings().With("echo", Line);
        using var folder = new ServerFolder(settings);
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await server.ConnectAsync("echo");
        server.Signal(ServerProcess.Sighup);
        await Poll.UntilAsync(() => server.Output.Contains("read again, as requested", StringComparison.Ordinal), () => $"the files are read: {server.Output}");
        Assert.Equal("GOT:on", await client.AskAsync("on\n", 6));

        folder.Write(settings.With("new", Line).ToString());
        server.Signal(ServerProcess.Sighup);
        await Poll.UntilAsync(async () => await server.Admin.FindListeningAsync("new") is not null, () => "the new endpoint listens");
        Assert.Equal("GOT:still", await client.AskAsync("still\n", 9));
        Assert.False(server.HasExited);
    }

    [Fact]
    public async Task Sigterm_Chargen_StopsSendingAndEnds()
    {
        using var folder = new ServerFolder(new ServerSettings { Drain = "00:00:20" }.With("it", """{ "Port": 0, "Protocol": "chargen" }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await server.ConnectAsync("it");
        await client.ReceiveAsync(1000);
        server.Signal(ServerProcess.Sigterm);
        Assert.NotEmpty(await client.ReceiveToEndAsync());
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
    }

    [Theory]
    [InlineData(ServerProcess.Sigterm, 143)]
    [InlineData(ServerProcess.Sigint, 130)]
    [InlineData(ServerProcess.Sigquit, 131)]
    public async Task SecondSignal_DrainIsStuck_ExitsAtOnce(int signal, int exitCode)
    {
        using var folder = new ServerFolder(new ServerSettings { Drain = "00:10:00" }.With("echo", Line));
        await using var server = await ServerProcess.StartAsync(folder);
        using var stuck = await server.ConnectAsync("echo");
        await stuck.SendAsync("half");
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Any(c => c.BytesReceived == 4), () => "half a line is there");
        server.Signal(ServerProcess.Sigterm);
        await Poll.UntilAsync(async () => (await server.Admin.GetEndpointsAsync()).Single().State == "Draining", () => "it drains");
        Assert.False(server.HasExited);
        // One that comes within a moment of the first is the same request: a supervisor signals the process and its group.
        await Poll.UntilAsync(
            () =>
            {
                if (!server.HasExited) server.Signal(signal);
                return Task.FromResult(server.HasExited);
            },
            () => "a second signal ends it");
        Assert.Equal(exitCode, (await server.WaitForExitAsync()).ExitCode);
    }

    [Fact]
    public async Task LameDuck_AfterTheSignal_IsRedAndStillAccepts()
    {
        using var folder = new ServerFolder(new ServerSettings { LameDuck = "00:00:05", Drain = "00:00:10" }.With("echo", Line));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("echo");
        using var busy = await Client.ConnectAsync(port);
        await busy.SendAsync("half");
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetReadyAsync()).Status);

        server.Signal(ServerProcess.Sigterm);
        await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable, () => "readiness is red", TimeSpan.FromSeconds(2));
        using (var late = await Client.ConnectAsync(port)) Assert.Equal("GOT:late", await late.AskAsync("late\n", 8));
        Assert.Equal("Listening", (await server.Admin.GetEndpointsAsync()).Single().State);
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetAsync("/health/live")).Status);

        // Then it drains, and the admin endpoint tells of it to the end.
        await Poll.UntilAsync(async () => (await server.Admin.GetEndpointsAsync()).Single().State == "Draining", () => "it drains");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Admin.GetReadyAsync()).Status);
        Assert.Equal(1, (await server.Admin.GetMetricsAsync()).Sum("perch_connections_active", "endpoint=\"echo\""));
        await busy.SendAsync(" and half\n");
        Assert.Equal("GOT:half and half", await busy.ReceiveTextToEndAsync());
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
    }

    [Fact]
    public async Task Deadline_HandlersThatDoNotLeave_AreCutWithDrainAborted()
    {
        var settings = new ServerSettings { Drain = "00:00:01" }
            .With("deaf", """{ "Port": 0, "Protocol": "ignores-drain" }""")
            .With("hung", """{ "Port": 0, "Protocol": "hangs" }""")
            .With("half", Line)
            .With("never-reads", """{ "Port": 0, "Protocol": "never-reads" }""");
        await using var host = await PerchHost.StartAsync(settings, TestHandlers.AddAll);
        var clients = new List<Client>();
        foreach (var name in settings.Endpoints.Keys)
        {
            var client = await host.ConnectAsync(name);
            await client.SendAsync("half");
            clients.Add(client);
        }

        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 4, () => "all are there");
        var stopping = Stopwatch.StartNew();
        // Taken away by an edit, so that the admin endpoint can tell how they ended.
        host.Folder.Write(new ServerSettings { Drain = "00:00:01" }.ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetRecentAsync()).Count == 4, () => "all have ended");
        Assert.All(await host.Admin.GetRecentAsync(), e => Assert.Equal((e.Endpoint, "DrainAborted"), (e.Endpoint, e.Outcome)));
        Assert.InRange(stopping.Elapsed, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
        var metrics = await host.Admin.GetMetricsAsync();
        Assert.All(settings.Endpoints.Keys, name => Assert.Equal(1, metrics.Ended(name, "DrainAborted")));
        Assert.Equal(0, metrics.Sum("perch_connections_active"));
        // No FIN: whoever was cut off must not take it for the end of an answer.
        foreach (var client in clients) await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(client.ReceiveToEndAsync);
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Count == 0, () => "nothing drains any more");
        foreach (var client in clients) client.Dispose();
    }

    [Fact]
    public async Task Stop_HandlerThatHangs_HostEndsAtTheDeadline()
    {
        var host = await PerchHost.StartAsync(new ServerSettings { Drain = "00:00:01" }.With("hung", """{ "Port": 0, "Protocol": "hangs" }"""), TestHandlers.AddAll);
        using var client = await host.ConnectAsync("hung");
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 1, () => "it is there");
        var stopping = Stopwatch.StartNew();
        await host.DisposeAsync().AsTask().WaitAsync(Poll.Deadline);
        Assert.InRange(stopping.Elapsed, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
        await client.AwaitEndAsync();
    }

    [Fact]
    public async Task Handler_Throws_EndsInAResetAndTheNextIsServed()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("crash", """{ "Port": 0, "Protocol": "crashes" }"""), TestHandlers.AddAll);
        for (var i = 1; i <= 3; i++)
        {
            using var client = await host.ConnectAsync("crash");
            await client.SendAsync("boom");
            await Assert.ThrowsAsync<System.Net.Sockets.SocketException>(client.ReceiveToEndAsync);
            await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Ended("crash", "HandlerFault") == i, () => $"{i} faults are counted");
        }

        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
    }

    private static class TestHandlers
    {
        public static void AddAll(PerchBuilder builder) => builder
            .AddProtocol<CrashingHandler, MessageOptions>("crashes")
            .AddProtocol<HangingHandler, MessageOptions>("hangs")
            .AddProtocol<DeafHandler>("ignores-drain")
            .AddProtocol<NeverReadingHandler>("never-reads");
    }

    private sealed class CrashingHandler(MessageOptions options) : MessageHandler<MessageOptions>(options)
    {
        protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message) => throw new InvalidOperationException("boom");
    }

    /// <summary>Never comes back, whatever token is cancelled and whoever goes away.</summary>
    private sealed class HangingHandler(MessageOptions options) : MessageHandler<MessageOptions>(options)
    {
        protected override ValueTask OnOpenAsync(MessageContext context) => new(new TaskCompletionSource().Task);

        protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message) => ValueTask.CompletedTask;
    }

    /// <summary>Reads on until the connection is gone: it does not know of the drain.</summary>
    private sealed class DeafHandler : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            while (await connection.Transport.Input.ReadAsync() is { IsCompleted: false } read) connection.Transport.Input.AdvanceTo(read.Buffer.End);
        }
    }

    /// <summary>Waits for the connection's end and for nothing else.</summary>
    private sealed class NeverReadingHandler : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            var gone = new TaskCompletionSource();
            await using var registration = connection.ConnectionClosed.Register(gone.SetResult);
            await gone.Task;
        }
    }
}

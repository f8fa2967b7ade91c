using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;
using Xunit.Abstractions;

namespace Perch.FunctionalTests;

/// <summary>An edited appsettings.json is followed without a restart.</summary>
/// <remarks>The promise is 2 s; the deadline here is wider, because other tests run beside this one. What it took is in the output.</remarks>
public sealed class ReloadTests(ITestOutputHelper output)
{
    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public enum Edit
    {
        InPlace,
        Rename,
        SymlinkSwap,
    }

    [Theory]
    [InlineData(Edit.InPlace)]
    [InlineData(Edit.Rename)]
    [InlineData(Edit.SymlinkSwap)]
    public async Task Endpoint_AddedChangedAndRemoved_ByEveryKindOfEdit(Edit edit)
    {
        var settings = new ServerSettings().With("stays", Echo);
        await using var host = await PerchHost.StartAsync(settings);
        using var witness = await host.ConnectAsync("stays");
        Assert.Equal("GOT:0", await witness.AskAsync("0", 5));

        Apply(host, settings.With("new", Echo), edit);
        await ReportAsync("added", async () => await host.Admin.FindListeningAsync("new") is not null);
        using var idle = await host.ConnectAsync("new");
        Assert.Equal("GOT:1", await idle.AskAsync("1", 5));

        Apply(host, settings.With("new", """{ "Port": 0, "Protocol": "echo", "Options": { "Prefix": "NEW:" } }"""), edit);
        var port = await host.Admin.GetPortAsync("new");
        await ReportAsync("options changed", async () =>
        {
            using var client = await Client.ConnectAsync(port);
            return await client.AskAsync("2", 5) == "NEW:2";
        });
        Assert.Equal("GOT:3", await idle.AskAsync("3", 5));

        Apply(host, settings.Without("new"), edit);
        // An idle connection of an endpoint that is no more gets a FIN, not a reset.
        Assert.Empty(await idle.ReceiveToEndAsync());
        await ReportAsync("removed", async () => (await host.Admin.GetEndpointsAsync()).Count == 1);
        await Assert.ThrowsAsync<SocketException>(() => Client.ConnectAsync(port));
        Assert.Equal("GOT:4", await witness.AskAsync("4", 5));
        Assert.Equal("Drained", (await host.Admin.GetRecentAsync()).Single(e => e.Peer == idle.LocalAddress).Outcome);
    }

    [Fact]
    public async Task Endpoint_PortMoved_ServesThereAndDrainsHere()
    {
        var (first, second) = TwoFreePorts();
        var settings = new ServerSettings().With("echo", Numbered(first, "A:"));
        await using var host = await PerchHost.StartAsync(settings);
        using var old = await Client.ConnectAsync(first);
        Assert.Equal("A:x", await old.AskAsync("x", 3));

        host.Folder.Write(settings.With("echo", Numbered(second, "B:")).ToString());
        await ReportAsync("port moved", async () => (await host.Admin.FindListeningAsync("echo"))?.Port == second);
        Assert.Empty(await old.ReceiveToEndAsync());
        await Assert.ThrowsAsync<SocketException>(() => Client.ConnectAsync(first));
        using var client = await Client.ConnectAsync(second);
        Assert.Equal("B:x", await client.AskAsync("x", 3));
    }

    [Fact]
    public async Task Endpoints_SwapTheirPorts_EachServesOnTheOthers()
    {
        var (first, second) = TwoFreePorts();
        var settings = new ServerSettings().With("a", Numbered(first, "A:")).With("b", Numbered(second, "B:"));
        await using var host = await PerchHost.StartAsync(settings);
        using var busy = await Client.ConnectAsync(first);
        Assert.Equal("A:1", await busy.AskAsync("1", 3));

        host.Folder.Write(settings.With("a", Numbered(second, "A:")).With("b", Numbered(first, "B:")).ToString());
        await ReportAsync("ports swapped", async () =>
            (await host.Admin.FindListeningAsync("a"))?.Port == second && (await host.Admin.FindListeningAsync("b"))?.Port == first);
        Assert.Empty(await busy.ReceiveToEndAsync());
        using var a = await Client.ConnectAsync(second);
        Assert.Equal("A:x", await a.AskAsync("x", 3));
        using var b = await Client.ConnectAsync(first);
        Assert.Equal("B:x", await b.AskAsync("x", 3));
    }

    [Fact]
    public async Task Endpoint_BacklogChanged_BindsTheSamePortAnewWhileTheOldConnectionIsBusy()
    {
        var (port, _) = TwoFreePorts();
        var settings = new ServerSettings().With("echo", Line(port, 512));
        await using var host = await PerchHost.StartAsync(settings);
        using var busy = await Client.ConnectAsync(port);
        Assert.Equal("GOT:1", await busy.AskAsync("1\n", 5));
        await busy.SendAsync("half");
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Single().BytesReceived == 6, () => "half a line has arrived");

        host.Folder.Write(settings.With("echo", Line(port, 100)).ToString());
        await ReportAsync("backlog changed", async () =>
        {
            var endpoints = await host.Admin.GetEndpointsAsync();
            return endpoints.Any(e => e.State == "Draining") && endpoints.Any(e => e.State == "Listening");
        });
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
        using var client = await Client.ConnectAsync(port);
        Assert.Equal("GOT:2", await client.AskAsync("2\n", 5));
        Assert.Equal("GOT:half and half", await busy.AskAsync(" and half\n", 17));
        Assert.Empty(await busy.ReceiveToEndAsync());
        Assert.Equal("GOT:3", await client.AskAsync("3\n", 5));
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Count == 1, () => "the old one is gone");
    }

    [Fact]
    public async Task Endpoint_ProtocolChanged_NewConnectionsSpeakTheNewOne()
    {
        var settings = new ServerSettings().With("port", Echo);
        await using var host = await PerchHost.StartAsync(settings);
        using var old = await host.ConnectAsync("port");
        Assert.Equal("GOT:1", await old.AskAsync("1", 5));
        var port = await host.Admin.GetPortAsync("port");

        host.Folder.Write(settings.With("port", """{ "Port": 0, "Protocol": "reply" }""").ToString());
        await ReportAsync("protocol changed", async () =>
        {
            using var client = await Client.ConnectAsync(port);
            return await client.AskAsync("2", 5) != "GOT:2";
        });
        using var client = await Client.ConnectAsync(port);
        await client.SendAsync("x");
        Assert.Equal("データ送信", await client.ReceiveTextToEndAsync());
        Assert.Equal("GOT:3", await old.AskAsync("3", 5));
        Assert.Equal("reply", Assert.Single(await host.Admin.GetEndpointsAsync()).Protocol);
    }

    [Fact]
    public async Task Endpoint_DisabledAndEnabled_StopsAndServes()
    {
        var settings = new ServerSettings().With("echo", Echo);
        await using var host = await PerchHost.StartAsync(settings);
        using var client = await host.ConnectAsync("echo");
        Assert.Equal("GOT:1", await client.AskAsync("1", 5));

        host.Folder.Write(settings.With("echo", """{ "Port": 0, "Protocol": "echo", "Enabled": false }""").ToString());
        await ReportAsync("disabled", async () => (await host.Admin.GetEndpointsAsync()).Count == 0);
        Assert.Empty(await client.ReceiveToEndAsync());
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);

        host.Folder.Write(settings.With("echo", Echo).ToString());
        await ReportAsync("enabled", async () => await host.Admin.FindListeningAsync("echo") is not null);
        using var another = await host.ConnectAsync("echo");
        Assert.Equal("GOT:2", await another.AskAsync("2", 5));
    }

    [Fact]
    public async Task File_Faulty_ChangesNothingAndIsRedUntilMended()
    {
        var settings = new ServerSettings().With("echo", Echo);
        var good = settings.ToString();
        await using var host = await PerchHost.StartAsync(settings);
        using var client = await host.ConnectAsync("echo");
        Assert.Equal("GOT:1", await client.AskAsync("1", 5));
        var port = await host.Admin.GetPortAsync("echo");

        string[] faulty =
        [
            settings.With("echo", """{ "Port": 0, "Protocol": "reply" }""").With("two", """{ "Port": 99999, "Protocol": "gopher" }""").ToString(),
            "{ \"Perch\": ",
            "",
        ];
        string[][] told = [["Perch:Endpoints:two:Port", "Perch:Endpoints:two:Protocol"], ["appsettings.json"], ["appsettings.json"]];
        foreach (var (content, keys) in faulty.Zip(told))
        {
            host.Folder.Write(content);
            await ReportAsync("fault shown", async () => (await host.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable);
            var faults = (await host.Admin.GetReadyAsync()).Body["configurationFaults"]!.AsArray().Select(f => f!["key"]!.GetValue<string>());
            Assert.Equal(keys, faults.Order(StringComparer.Ordinal));
            Assert.Equal("GOT:2", await client.AskAsync("2", 5));
            using var another = await Client.ConnectAsync(port);
            Assert.Equal("GOT:3", await another.AskAsync("3", 5));
            Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync("/health/live")).Status);

            host.Folder.Write(good);
            await ReportAsync("mended", async () => (await host.Admin.GetReadyAsync()).Status == HttpStatusCode.OK);
            Assert.Empty((await host.Admin.GetReadyAsync()).Body["configurationFaults"]!.AsArray());
        }

        Assert.Equal("GOT:4", await client.AskAsync("4", 5));
    }

    [Fact]
    public async Task File_Removed_ChangesNothingAndIsRedUntilItIsBack()
    {
        var settings = new ServerSettings().With("echo", Echo);
        using var folder = new ServerFolder(settings);
        // Without a second file a removal is only the first half of a rename, and nobody is told.
        File.WriteAllText(Path.Combine(folder.Root, "appsettings.Production.json"), "{}");
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await server.ConnectAsync("echo");
        File.Move(folder.File, folder.File + ".away");
        await ReportAsync("removal shown", async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable);
        Assert.Equal("GOT:1", await client.AskAsync("1", 5));
        Assert.NotNull(await server.Admin.FindListeningAsync("echo"));

        folder.Write(settings.With("two", Echo).ToString());
        await ReportAsync("written anew", async () => await server.Admin.FindListeningAsync("two") is not null);
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetReadyAsync()).Status);
        Assert.Equal("GOT:2", await client.AskAsync("2", 5));
    }

    [Fact]
    public async Task Guards_DefaultsChanged_NewConnectionsHaveThem()
    {
        var settings = new ServerSettings().With("echo", Echo);
        await using var host = await PerchHost.StartAsync(settings);
        using var old = await host.ConnectAsync("echo");
        Assert.Equal("GOT:1", await old.AskAsync("1", 5));
        settings.Guards = """{ "IdleTimeout": "00:00:01" }""";
        // The new endpoint shows that the edit was applied.
        host.Folder.Write(settings.With("marker", Echo).ToString());
        await ReportAsync("guards changed", async () => await host.Admin.FindListeningAsync("marker") is not null);
        using var young = await host.ConnectAsync("echo");
        Assert.Equal("GOT:2", await young.AskAsync("2", 5));
        await young.AwaitEndAsync();
        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Ended("echo", "IdleTimeout") == 1, () => "the idle one is counted");
        Assert.Equal("GOT:3", await old.AskAsync("3", 5));
    }

    private static string Numbered(int port, string prefix) => $$"""{ "Port": {{port}}, "Protocol": "echo", "Options": { "Prefix": "{{prefix}}" } }""";

    private static string Line(int port, int backlog) => $$"""{ "Port": {{port}}, "Protocol": "echo", "Backlog": {{backlog}}, "Options": { "Framing": "Line" } }""";

    private static (int First, int Second) TwoFreePorts()
    {
        using var first = new TcpListener(IPAddress.Loopback, 0);
        using var second = new TcpListener(IPAddress.Loopback, 0);
        first.Start();
        second.Start();
        return (((IPEndPoint)first.LocalEndpoint).Port, ((IPEndPoint)second.LocalEndpoint).Port);
    }

    private static void Apply(PerchHost host, ServerSettings settings, Edit edit)
    {
        var content = settings.ToString();
        if (edit == Edit.InPlace) host.Folder.Write(content);
        else if (edit == Edit.Rename) host.Folder.WriteByRename(content);
        else host.Folder.WriteBySymlinkSwap(content);
    }

    private async Task ReportAsync(string what, Func<Task<bool>> condition)
    {
        var started = Stopwatch.GetTimestamp();
        await Poll.UntilAsync(condition, () => what, Limit);
        output.WriteLine($"{what}: {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");
    }
}

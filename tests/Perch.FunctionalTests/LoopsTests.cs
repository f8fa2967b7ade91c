using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>The number of event loops.</summary>
public sealed class LoopsTests
{
    private const int Clients = 500;

    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";

    [Fact]
    public async Task Loops_One_ServesFiveHundredClientsOnOneThread()
    {
        using var folder = new ServerFolder(new ServerSettings { SocketEngine = "Direct", Loops = 1 }.With("echo", Echo));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("echo");
        var clients = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Client.ConnectAsync(port)));

        // Every client is connected before the first message, and all messages are under way together.
        var answers = await Task.WhenAll(clients.Select((client, i) => client.AskAsync($"{i:000}", 7)));

        Assert.Equal(Enumerable.Range(0, Clients).Select(i => $"GOT:{i:000}"), answers);
        Assert.Equal(Clients, (await server.Admin.GetConnectionsAsync()).Count);
        Assert.Equal(1, LoopThreads(server));
        foreach (var client in clients)
            client.Dispose();
    }

    [Fact]
    public async Task Loops_Three_StartsThreeThreads()
    {
        using var folder = new ServerFolder(new ServerSettings { SocketEngine = "Direct", Loops = 3 }.With("echo", Echo));
        await using var server = await ServerProcess.StartAsync(folder);

        Assert.Equal(3, LoopThreads(server));
    }

    [Fact]
    public async Task Loops_Changed_LogsOnceThatTheNextStartAppliesIt()
    {
        var settings = new ServerSettings { Loops = 1 }.With("echo", Echo);
        await using var host = await PerchHost.StartAsync(settings);
        settings.Loops = 2;
        host.Folder.Write(settings.With("marker", Echo).ToString());
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("marker") is not null, () => "the edit is applied");
        host.Folder.Write(settings.Without("marker").ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Count == 1, () => "the next edit is applied");

        const string Line = "Perch:Loops has changed and applies at the next start";
        await Poll.UntilAsync(() => host.Log.Contains(Line, StringComparison.Ordinal), () => host.Log);
        Assert.Single(host.Log.Split('\n'), line => line.Contains(Line, StringComparison.Ordinal));
    }

    private static int LoopThreads(ServerProcess server) => Directory.GetDirectories($"/proc/{server.Id}/task")
        .Select(task => File.ReadAllText(Path.Combine(task, "comm")).Trim())
        .Count(name => name.StartsWith("Perch loop ", StringComparison.Ordinal) && char.IsAsciiDigit(name[^1]));
}

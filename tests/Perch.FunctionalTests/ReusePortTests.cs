using Perch.FunctionalTests.Cli;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>Several processes on one TCP port.</summary>
public sealed class ReusePortTests
{
    /// <summary>The chance that the kernel gives all of them to one of two processes is 2 in 2^40.</summary>
    private const int Clients = 40;

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task ReusePort_TwoProcesses_ShareThePortAndOneStopsWithoutTheOther(string engine)
    {
        using var folder = new ServerFolder(Settings(engine, 0, reusePort: true));
        await using var first = await ServerProcess.StartAsync(folder);
        var port = await first.Admin.GetPortAsync("echo");
        using var secondFolder = new ServerFolder(Settings(engine, port, reusePort: true));
        await using var second = await ServerProcess.StartAsync(secondFolder);
        Assert.Equal(port, await second.Admin.GetPortAsync("echo"));

        await TalkAsync(port);
        var (one, other) = (await AcceptedAsync(first), await AcceptedAsync(second));
        Assert.Equal(Clients, one + other);
        Assert.NotEqual(0, one);
        Assert.NotEqual(0, other);

        first.Signal(ServerProcess.Sigterm);
        Assert.Equal(0, (await first.WaitForExitAsync()).ExitCode);
        await TalkAsync(port);
        Assert.Equal(other + Clients, await AcceptedAsync(second));
    }

    [Fact]
    public async Task ReusePort_OnlyOneOfTwo_FailsWithTheCure()
    {
        using var folder = new ServerFolder(Settings("Direct", 0, reusePort: false));
        await using var first = await ServerProcess.StartAsync(folder);
        var port = await first.Admin.GetPortAsync("echo");
        using var secondFolder = new ServerFolder(Settings("Direct", port, reusePort: true));

        var second = await ServerProcess.RunAsync(secondFolder);

        Assert.Equal(1, second.ExitCode);
        Assert.Contains("address in use by a process without ReusePort, or of another user", second.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReusePort_TurnedOn_RebindsAndKeepsOpenConnections()
    {
        // Without a port of its own the endpoint would get another one from the kernel.
        var port = FreePort.Find();
        using var folder = new ServerFolder(Settings("Direct", port, reusePort: false));
        await using var first = await ServerProcess.StartAsync(folder);
        using var busy = await Client.ConnectAsync(port);
        await busy.SendAsync("half");
        await Poll.UntilAsync(
            async () => (await first.Admin.GetConnectionsAsync()).Any(c => c.BytesReceived == 4), () => "half a line has arrived");

        folder.Write(Settings("Direct", port, reusePort: true).ToString());
        await Poll.UntilAsync(async () => (await first.Admin.GetEndpointsAsync()).Count == 2, () => "one drains and one listens");
        await Poll.UntilAsync(async () => await first.Admin.FindListeningAsync("echo") is not null, () => "it listens again");
        await using var second = await ServerProcess.StartAsync(folder);

        Assert.Equal(port, await second.Admin.GetPortAsync("echo"));
        Assert.Equal("GOT:half and half", await busy.AskAsync(" and half\n", 17));
    }

    private static ServerSettings Settings(string engine, int port, bool reusePort) =>
        new ServerSettings { SocketEngine = engine }.With("echo", $$"""
            { "Port": {{port}}, "Protocol": "echo", "ReusePort": {{(reusePort ? "true" : "false")}}, "Options": { "Framing": "Line" } }
            """);

    private static async Task TalkAsync(int port)
    {
        for (var i = 0; i < Clients; i++)
        {
            using var client = await Client.ConnectAsync(port);
            Assert.Equal("GOT:x", await client.AskAsync("x\n", 5));
        }
    }

    private static async Task<double> AcceptedAsync(ServerProcess server) =>
        (await server.Admin.GetMetricsAsync()).Sum("perch_connections_accepted_total", "endpoint=\"echo\"");
}

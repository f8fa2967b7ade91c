using System.Globalization;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>A process with a small limit of open files serves on, whatever peers open.</summary>
public sealed class DescriptorTests
{
    private const int Limit = 420;

    /// <summary>262 for the runtime with two event loops and one endpoint, 32 always free, 52 for the admin endpoint, 26 for transfers.</summary>
    private const int Connections = 48;

    private const string TwoLoops = "--Perch:Loops=2";

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task Connections_ManyMoreThanTheLimit_WaitAndAreServedWhenOthersEnd(string engine)
    {
        using var folder = new ServerFolder(new ServerSettings { SocketEngine = engine }.With("echo", """{ "Port": 0, "Protocol": "echo", "Backlog": 1000 }"""));
        await using var server = await ServerProcess.StartWithLimitAsync(folder, Limit, TwoLoops, "--Perch:MaxConnections=10000");
        var port = await server.Admin.GetPortAsync("echo");
        var many = await ConnectAsync(port, Limit);

        await Poll.UntilAsync(async () => (await server.Admin.GetMetricsAsync()).Sum("perch_descriptors_refused_total", "reason=\"connection\"") > 0, () => server.Output);
        Assert.True(server.OpenDescriptors() <= Limit - 32, $"{server.OpenDescriptors()}");
        var (status, body) = await server.Admin.GetReadyAsync();
        Assert.Equal("Unhealthy", body["checks"]!["descriptors"]!["status"]!.GetValue<string>());
        Assert.NotEqual(System.Net.HttpStatusCode.OK, status);

        many.ForEach(client => client.Dispose());
        await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == System.Net.HttpStatusCode.OK, () => server.Output);
        using var last = await Client.ConnectAsync(port);
        Assert.Equal("GOT:1", await last.AskAsync("1", 5));
        Assert.False(server.HasExited);
    }

    [Fact]
    public async Task OverTheCap_SilentPeers_KeepNoDescriptor()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo", "Guards": { "MaxConnections": 5 } }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("echo");
        var before = server.OpenDescriptors();

        var many = await ConnectAsync(port, 300);
        await Poll.UntilAsync(async () => (await server.Admin.GetMetricsAsync()).Ended("echo", "Rejected") == 295, () => server.Output);
        // The linger time of the transport is two seconds: a connection that lingers would still be there.
        Assert.True(server.OpenDescriptors() < before + 100, $"{before} before, {server.OpenDescriptors()} now");
        many.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task Admin_SilentConnections_DoNotKeepItFromAnswering()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        await using var server = await ServerProcess.StartWithLimitAsync(folder, Limit, TwoLoops);
        var silent = await ConnectAsync(new Uri(server.Admin.Url).Port, Limit);

        Assert.Equal(System.Net.HttpStatusCode.OK, (await server.Admin.GetReadyAsync()).Status);
        await Poll.UntilAsync(() => Task.FromResult(server.OpenDescriptors() <= Limit - 32), () => $"{server.OpenDescriptors()}");
        using var client = await server.ConnectAsync("echo");
        Assert.Equal("GOT:1", await client.AskAsync("1", 5));
        silent.ForEach(connection => connection.Dispose());
    }

    [Fact]
    public async Task Uploads_MoreThanTheLimitAllows_AreRefusedAndTheOthersStored()
    {
        using var folder = new ServerFolder(new ServerSettings().With("files", """{ "Port": 0, "Protocol": "files" }"""));
        await using var server = await ServerProcess.StartWithLimitAsync(folder, Limit, TwoLoops);
        var clients = new List<Client>();
        for (var i = 0; i < Connections; i++)
            clients.Add(await server.ConnectAsync("files"));
        var begun = 0;
        using var http = new HttpClient { BaseAddress = new Uri(server.Admin.Url) };
        await Poll.UntilAsync(
            async () =>
            {
                if (begun < Connections)
                    await BeginAsync(clients[begun], begun++);
                using var answer = await http.GetAsync(new Uri("/files/none", UriKind.Relative));
                if (answer.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable)
                    Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
                else
                    Assert.Equal(System.Net.HttpStatusCode.NotFound, answer.StatusCode);
                return answer.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable;
            },
            () => server.Output);
        while (begun < Connections)
            await BeginAsync(clients[begun], begun++);
        Assert.True((await server.Admin.GetMetricsAsync()).Sum("perch_descriptors_refused_total", "reason=\"transfer\"") > 0);
        var (stored, refused) = (0, 0);
        foreach (var client in clients)
        {
            await client.SendAsync("cd");
            client.EndInput();
            var answer = await client.ReceiveTextToEndAsync();
            if (answer.StartsWith("OK 4 ", StringComparison.Ordinal)) stored++;
            else if (answer.StartsWith("ERR unavailable too many transfers are in progress", StringComparison.Ordinal)) refused++;
            else Assert.Fail(answer);
            client.Dispose();
        }

        Assert.True(stored > 0 && refused > 0, $"{stored} stored, {refused} refused");
        Assert.Equal(System.Net.HttpStatusCode.OK, (await server.Admin.GetAsync("/health/live")).Status);

        static Task BeginAsync(Client client, int number) => client.SendAsync(string.Create(CultureInfo.InvariantCulture, $"PUT file{number} 4\nab"));
    }

    [Theory]
    [InlineData()]
    [InlineData("--check")]
    public async Task Start_LimitIsTooSmall_EndsWithTheArithmetic(params string[] arguments)
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        await using var server = ServerProcess.LaunchWithLimit(folder, 340, [.. arguments, TwoLoops]);
        var ended = await server.WaitForExitAsync();

        Assert.Equal(2, ended.ExitCode);
        Assert.Contains(
            "limit of open files 340 = 262 runtime + 32 always free + 42 admin connections + 21 transfers + 0 connections", ended.Errors, StringComparison.Ordinal);
        Assert.Contains("ulimit -n", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_CapIsAboveTheLimit_WarnsWithTheArithmetic()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        await using var check = ServerProcess.LaunchWithLimit(folder, 1024, "--check", TwoLoops, "--Perch:MaxConnections=18000");
        var ended = await check.WaitForExitAsync();

        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("Warning: Perch:MaxConnections is 18000", ended.Output, StringComparison.Ordinal);
        Assert.Contains("Raise the limit of open files to 18806 ", ended.Output, StringComparison.Ordinal);

        await using var server = ServerProcess.LaunchWithLimit(folder, 1024, "--Perch:MaxConnections=18000");
        await Poll.UntilAsync(() => Task.FromResult(server.Output.Contains("Perch:MaxConnections is 18000", StringComparison.Ordinal)), () => server.Output);
    }

    [Fact]
    public async Task Check_AdminLimitIsAboveTheLimit_WarnsAndTheAdminEndpointAnswers()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        await using var check = ServerProcess.LaunchWithLimit(folder, Limit, "--check", TwoLoops, "--Kestrel:Limits:MaxConcurrentConnections=5000");
        var ended = await check.WaitForExitAsync();
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("Warning: Kestrel:Limits:MaxConcurrentConnections asks for more", ended.Output, StringComparison.Ordinal);

        await using var server = await ServerProcess.StartWithLimitAsync(folder, Limit, TwoLoops, "--Kestrel:Limits:MaxConcurrentConnections=5000");
        var many = await ConnectAsync(await server.Admin.GetPortAsync("echo"), Limit);
        var silent = await ConnectAsync(new Uri(server.Admin.Url).Port, Limit);
        Assert.Equal(System.Net.HttpStatusCode.OK, (await server.Admin.GetAsync("/health/live")).Status);
        Assert.True(server.OpenDescriptors() <= Limit - 32, $"{server.OpenDescriptors()}");
        many.ForEach(client => client.Dispose());
        silent.ForEach(client => client.Dispose());
    }

    private static async Task<List<Socket>> ConnectAsync(int port, int count)
    {
        var sockets = new List<Socket>();
        for (var i = 0; i < count; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            await socket.ConnectAsync(System.Net.IPAddress.Loopback, port);
        }

        return sockets;
    }
}

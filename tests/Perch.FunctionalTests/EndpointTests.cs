using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

public sealed class EndpointTests
{
    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";

    [Fact]
    public async Task PortInUse_OneOfTwo_FailsAloneAndBindsWhenItIsFree()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var host = await PerchHost.StartAsync(new ServerSettings()
            .With("free", Echo)
            .With("taken", $$"""{ "Port": {{port}}, "Protocol": "echo", "Options": { "Prefix": "LATE:" } }"""));

        var failed = (await host.Admin.GetEndpointsAsync()).Single(e => e.Name == "taken");
        Assert.Equal("Failed", failed.State);
        Assert.StartsWith("address in use", failed.Reason, StringComparison.Ordinal);
        Assert.NotNull(failed.NextRetry);
        Assert.InRange(failed.NextRetry.Value - TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(-5), TimeSpan.FromSeconds(31));
        var (status, body) = await host.Admin.GetReadyAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("taken (tcp 127.0.0.1:", body["checks"]!["endpoints"]!["description"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(1, (await host.Admin.GetMetricsAsync()).Sum("perch_endpoint_state", "endpoint=\"taken\"", "state=\"Failed\""));
        using (var other = await host.ConnectAsync("free")) Assert.Equal("GOT:x", await other.AskAsync("x", 5));

        taken.Stop();
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("taken") is not null, () => "the free port is bound");
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
        using var client = await Client.ConnectAsync(port);
        Assert.Equal("LATE:x", await client.AskAsync("x", 6));
    }

    [Fact]
    public async Task PortZero_Bound_IsReportedAndServes()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("a", Echo).With("b", Echo));
        var endpoints = await host.Admin.GetEndpointsAsync();
        Assert.Equal(["a", "b"], endpoints.Select(e => e.Name));
        Assert.All(endpoints, e => Assert.Equal(($"tcp 127.0.0.1:{e.Port}", "Listening", "echo"), (e.Address, e.State, e.Protocol)));
        foreach (var endpoint in endpoints)
        {
            using var client = await Client.ConnectAsync(endpoint.Port!.Value);
            Assert.Equal("GOT:x", await client.AskAsync("x", 5));
        }
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("127.0.0.2")]
    [InlineData("::")]
    [InlineData("::1")]
    public async Task Address_OfEveryKind_Serves(string address)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", $$"""{ "Port": 0, "Protocol": "echo", "Address": "{{address}}" }"""));
        var port = await host.Admin.GetPortAsync("echo");
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Parse(address switch { "0.0.0.0" or "::" => "127.0.0.1", _ => address }), port);
        await socket.SendAsync("x"u8.ToArray());
        var answer = new byte[5];
        Assert.Equal(5, await socket.ReceiveAsync(answer).WaitAsync(Poll.Deadline));
        Assert.Equal("GOT:x"u8, answer);
        // An address that was mapped into IPv6 is shown as the one that the peer has.
        var peer = Assert.Single(await host.Admin.GetConnectionsAsync()).Peer;
        Assert.Equal(address == "::1", peer.StartsWith("[::1]:", StringComparison.Ordinal));
        Assert.DoesNotContain("ffff", peer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnixSocket_ServedAndStopped_LeavesNoFile()
    {
        using var folder = new ServerFolder(new ServerSettings().With("local", """{ "UnixSocket": "run/echo.sock", "Protocol": "echo" }"""));
        var path = Path.Combine(folder.Root, "run/echo.sock");
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await Client.ConnectAsync(path);
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
        var endpoint = Assert.Single(await server.Admin.GetEndpointsAsync());
        Assert.Equal(($"unix {path}", null), (endpoint.Address, endpoint.Port));
        Assert.Equal("unix", Assert.Single(await server.Admin.GetConnectionsAsync()).Peer);

        server.Signal(ServerProcess.Sigterm);
        Assert.Empty(await client.ReceiveToEndAsync());
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    [UnsupportedOSPlatform("windows")]
    public async Task UnixSocket_WithAMode_HasItAndWithoutOneThatOfTheUmask(string engine)
    {
        using var folder = new ServerFolder(new ServerSettings { SocketEngine = engine }
            .With("open", """{ "UnixSocket": "open.sock", "Protocol": "echo", "Mode": "0666" }""")
            .With("closed", """{ "UnixSocket": "closed.sock", "Protocol": "echo", "Mode": "0600" }""")
            .With("default", """{ "UnixSocket": "default.sock", "Protocol": "echo" }"""));
        // The umask removes the same rights from a folder and from a socket.
        var unmasked = Directory.CreateDirectory(Path.Combine(folder.Root, "folder")).UnixFileMode;
        await using var server = await ServerProcess.StartAsync(folder);
        Assert.Equal((UnixFileMode)0b110_110_110, File.GetUnixFileMode(Path.Combine(folder.Root, "open.sock")));
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(Path.Combine(folder.Root, "closed.sock")));
        Assert.Equal(unmasked, File.GetUnixFileMode(Path.Combine(folder.Root, "default.sock")));
        using var client = await Client.ConnectAsync(Path.Combine(folder.Root, "closed.sock"));
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
    }

    [Fact]
    public async Task UnixSocket_StaleFileOfAKilledServer_IsTakenOver()
    {
        using var folder = new ServerFolder(new ServerSettings().With("local", """{ "UnixSocket": "echo.sock", "Protocol": "echo" }"""));
        var path = Path.Combine(folder.Root, "echo.sock");
        await using (var killed = await ServerProcess.StartAsync(folder))
        {
            killed.Signal(ServerProcess.Sigkill);
            Assert.Equal(128 + ServerProcess.Sigkill, (await killed.WaitForExitAsync()).ExitCode);
        }

        Assert.True(File.Exists(path));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await Client.ConnectAsync(path);
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
    }

    [Fact]
    public async Task UnixSocket_PathIsAFile_FailsAndTheFileStays()
    {
        using var folder = new ServerFolder(new ServerSettings().With("tcp", Echo).With("local", """{ "UnixSocket": "precious.txt", "Protocol": "echo" }"""));
        var path = Path.Combine(folder.Root, "precious.txt");
        File.WriteAllText(path, "");
        await using var server = await ServerProcess.StartAsync(folder);
        var local = (await server.Admin.GetEndpointsAsync()).Single(e => e.Name == "local");
        Assert.Equal("Failed", local.State);
        Assert.Contains("is not a socket", local.Reason, StringComparison.Ordinal);
        server.Signal(ServerProcess.Sigterm);
        await server.WaitForExitAsync();
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task MaxConnections_OneTooMany_IsClosedAtOnceAndRejected()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo", "Guards": { "MaxConnections": 2 } }"""));
        using var first = await host.ConnectAsync("echo");
        using var second = await host.ConnectAsync("echo");
        Assert.Equal("GOT:1", await first.AskAsync("1", 5));
        Assert.Equal("GOT:2", await second.AskAsync("2", 5));
        using var third = await host.ConnectAsync("echo");
        await third.AwaitEndAsync();
        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Ended("echo", "Rejected") == 1, () => "one is rejected");

        first.EndInput();
        Assert.Empty(await first.ReceiveToEndAsync());
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 1, () => "one is left");
        using var fourth = await host.ConnectAsync("echo");
        Assert.Equal("GOT:4", await fourth.AskAsync("4", 5));
    }
}

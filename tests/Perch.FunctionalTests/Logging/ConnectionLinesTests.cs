using System.Net.Sockets;
using System.Text.Json;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Logging;

/// <summary>The lines of a connection's start and end, as <c>LogConnections</c> selects them.</summary>
public sealed class ConnectionLinesTests
{
    private const int Started = 2006;
    private const int Ended = 2000;
    private const int Rejected = 2007;

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task LogConnections_EachValue_WritesItsLines(string engine)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { SocketEngine = engine, LogFormat = "Json" }
            .With("default", Echo(""))
            .With("ended", Echo(""", "LogConnections": "Ended" """))
            .With("both", Echo(""", "LogConnections": "Both" """))
            .With("none", Echo(""", "LogConnections": "None" """)));
        foreach (var endpoint in (string[])["none", "default", "ended", "both"])
            await TalkAsync(host, endpoint);
        // The endpoints before it have written their lines by then.
        await Poll.UntilAsync(() => Lines(host.Log, Ended, "both").Count == 1, () => host.Log);

        Assert.Empty(Lines(host.Log, Started, "none"));
        Assert.Empty(Lines(host.Log, Ended, "none"));
        foreach (var endpoint in (string[])["default", "ended"])
        {
            Assert.Empty(Lines(host.Log, Started, endpoint));
            Assert.Single(Lines(host.Log, Ended, endpoint));
        }

        var (start, end) = (Assert.Single(Lines(host.Log, Started, "both")), Assert.Single(Lines(host.Log, Ended, "both")));
        foreach (var field in (string[])["ConnectionId", "Endpoint", "Protocol", "Peer"])
            Assert.Equal(end.GetProperty(field).GetString(), start.GetProperty(field).GetString());
    }

    [Fact]
    public async Task LogConnections_RejectedConnection_HasNoStartAndItsEnd()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { LogFormat = "Json" }
            .With("both", Echo(""", "LogConnections": "Both", "Guards": { "MaxConnections": 1 } """))
            .With("none", Echo(""", "LogConnections": "None", "Guards": { "MaxConnections": 1 } """)));
        foreach (var endpoint in (string[])["both", "none"])
        {
            using var first = await host.ConnectAsync(endpoint);
            Assert.Equal("GOT:x", await first.AskAsync("x", 5));
            using var second = await host.ConnectAsync(endpoint);
            await second.AwaitEndAsync();
            // A warning is written whatever the key says.
            await Poll.UntilAsync(() => Lines(host.Log, Rejected, endpoint).Count > 0, () => host.Log);
        }

        Assert.Single(Lines(host.Log, Started, "both"));
        Assert.Empty(Lines(host.Log, Started, "none"));
    }

    [Theory]
    [InlineData(1, 10, "MaxConnections")]
    [InlineData(10, 1, "Perch:MaxConnections")]
    public async Task Rejected_ByEachCap_NamesItsKey(int endpointCap, int totalCap, string key)
    {
        await using var host = await PerchHost.StartAsync(
            new ServerSettings { LogFormat = "Json" }.With("echo", Echo($$""", "Guards": { "MaxConnections": {{endpointCap}} } """)),
            arguments: $"--Perch:MaxConnections={totalCap}");
        using var first = await host.ConnectAsync("echo");
        Assert.Equal("GOT:x", await first.AskAsync("x", 5));
        using var second = await host.ConnectAsync("echo");
        await second.AwaitEndAsync();
        await Poll.UntilAsync(() => Lines(host.Log, Rejected, "echo").Count > 0, () => host.Log);

        var line = Assert.Single(Lines(host.Log, Rejected, "echo"));
        Assert.Equal(("Rejected", key), (line.GetProperty("Outcome").GetString(), line.GetProperty("Reason").GetString()));
        Assert.Equal(key, (await host.Admin.GetJsonAsync("/connections/recent"))[0]!["reason"]!.GetValue<string>());
    }

    [Fact]
    public async Task LogConnections_Changed_AppliesToNewConnectionsWithoutARebind()
    {
        var settings = new ServerSettings { LogFormat = "Json" }.With("echo", Echo(""));
        await using var host = await PerchHost.StartAsync(settings);
        var port = await host.Admin.GetPortAsync("echo");
        using var old = await Client.ConnectAsync(port);
        Assert.Equal("GOT:1", await old.AskAsync("1", 5));

        host.Folder.Write(settings.With("echo", Echo(""", "LogConnections": "Both" """)).ToString());
        await Poll.UntilAsync(
            async () =>
            {
                using var client = await Client.ConnectAsync(port);
                await client.AskAsync("2", 5);
                return Lines(host.Log, Started, "echo").Count > 0;
            },
            () => host.Log);

        Assert.Equal("GOT:3", await old.AskAsync("3", 5));
        Assert.DoesNotContain(Lines(host.Log, Started, "echo"), line => line.GetProperty("Peer").GetString() == old.LocalAddress);
    }

    [Fact]
    public async Task LogConnections_SessionOfTftp_HasAStartAndAnEnd()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { LogFormat = "Json" }
            .With("files", """{ "Port": 0, "Protocol": "files" }""")
            .With("tftp", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "LogConnections": "Both" }"""));
        using (var files = await host.ConnectAsync("files"))
            Assert.Equal("OK 3 ", await files.AskAsync("PUT name 3\nabc", 5));
        using var client = new UdpClient(0, AddressFamily.InterNetwork);
        await client.SendAsync("\0\u0001name\0octet\0"u8.ToArray(), "127.0.0.1", await host.Admin.GetPortAsync("tftp"));
        var data = await client.ReceiveAsync().WaitAsync(Poll.Deadline);
        await client.SendAsync("\0\u0004\0\u0001"u8.ToArray(), data.RemoteEndPoint);
        await Poll.UntilAsync(() => Lines(host.Log, Ended, "tftp").Count == 1, () => host.Log);

        var (start, end) = (Assert.Single(Lines(host.Log, Started, "tftp")), Assert.Single(Lines(host.Log, Ended, "tftp")));
        Assert.Equal(end.GetProperty("ConnectionId").GetString(), start.GetProperty("ConnectionId").GetString());
    }

    private static string Echo(string keys) => $$"""{ "Port": 0, "Protocol": "echo" {{keys}} }""";

    private static async Task TalkAsync(PerchHost host, string endpoint)
    {
        using var client = await host.ConnectAsync(endpoint);
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
        client.EndInput();
        Assert.Empty(await client.ReceiveToEndAsync());
        await Poll.UntilAsync(async () => (await host.Admin.GetRecentAsync()).Any(e => e.Endpoint == endpoint), () => "it has ended");
    }

    /// <remarks>The last line may still be incomplete.</remarks>
    private static List<JsonElement> Lines(string log, int id, string endpoint) =>
        [.. log[..(log.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line).GetProperty("Properties"))
            .Where(properties => properties.TryGetProperty("EventId", out var e) && e.GetProperty("Id").GetInt32() == id
                && properties.GetProperty("Endpoint").GetString() == endpoint)];
}

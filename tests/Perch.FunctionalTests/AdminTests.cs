using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Perch.Diagnostics;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

public sealed class AdminTests
{
    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";
    [Fact]
    public async Task Health_HealthyServer_TellsEachCheckAndEachEndpoint()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("a", Echo).With("b", Echo));
        Assert.Equal((HttpStatusCode.OK, "Healthy"), await host.Admin.GetAsync("/health/live"));
        var (status, body) = await host.Admin.GetReadyAsync();
        Assert.Equal((HttpStatusCode.OK, "Healthy"), (status, body["status"]!.GetValue<string>()));
        Assert.Equal(["configuration", "descriptors", "endpoints", "files", "memory", "records", "stopping"], body["checks"]!.AsObject().Select(c => c.Key).Order(StringComparer.Ordinal));
        Assert.All(body["checks"]!.AsObject(), c => Assert.Equal("Healthy", c.Value!["status"]!.GetValue<string>()));
        Assert.Equal(["a Listening", "b Listening"], body["endpoints"]!.AsArray().Select(e => $"{e!["name"]} {e["state"]}"));
    }

    [Fact]
    public async Task Connections_OpenAndEnded_AreListedWithWhatTheyDid()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", Echo));
        using var client = await host.ConnectAsync("echo");
        Assert.Equal("GOT:hello", await client.AskAsync("hello", 9));
        // The answer may be here before the server has counted what it sent.
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Single().BytesSent != 0, () => "the answer is counted");
        var open = Assert.Single(await host.Admin.GetConnectionsAsync());
        Assert.Equal(("echo", "echo", client.LocalAddress, 5, 9, 1), (open.Endpoint, open.Protocol, open.Peer, open.BytesReceived, open.BytesSent, (int)open.Messages));
        Assert.Equal(1, Assert.Single(await host.Admin.GetEndpointsAsync()).Connections);
        Assert.Empty(await host.Admin.GetRecentAsync());

        client.EndInput();
        await client.ReceiveToEndAsync();
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 0, () => "it has ended");
        var ended = Assert.Single(await host.Admin.GetRecentAsync());
        Assert.Equal((open.Id, "PeerClosed", 5, 9, 1), (ended.Id, ended.Outcome, ended.BytesReceived, ended.BytesSent, (int)ended.Messages));
        Assert.InRange(ended.Duration, open.Duration, Poll.Deadline);
        Assert.InRange((ended.StartedAt - TimeProvider.System.GetUtcNow()).Duration(), TimeSpan.Zero, Poll.Deadline);
    }

    [Fact]
    public async Task ConnectionsRecent_MoreThanAThousandEnds_KeepsTheLastThousandNewestFirst()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { Log = "Error" }.With("time", """{ "Port": 0, "Protocol": "daytime" }"""));
        var port = await host.Admin.GetPortAsync("time");
        for (var i = 0; i < 1005; i++)
        {
            using var client = await Client.ConnectAsync(port);
            Assert.NotEmpty(await client.ReceiveToEndAsync());
        }

        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Ended("time", "Completed") == 1005, () => "all have ended");
        var recent = await host.Admin.GetRecentAsync();
        Assert.Equal(1000, recent.Count);
        Assert.True(recent[0].StartedAt >= recent[^1].StartedAt);
    }

    /// <summary>Readiness is asked for every few seconds and needs no key: its cost does not grow with the connections.</summary>
    [Fact]
    public async Task Endpoints_WithManyConnections_CostAsMuchAsWithNone()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("a", Echo).With("b", Echo).With("c", Echo));
        var status = host.Services.GetRequiredService<PerchStatus>();
        _ = status.Endpoints;
        var none = AllocatedBy(status);
        var clients = new List<Client>();
        for (var i = 0; i < 200; i++) clients.Add(await host.ConnectAsync("a"));
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 200, () => "all are served");

        Assert.Equal(200, status.Endpoints.Single(e => e.Name == "a").Connections);
        // The copy of 200 references alone would be 1,600 bytes.
        Assert.InRange(AllocatedBy(status), 0, none + 1000);
        clients.ForEach(client => client.Dispose());
        await Poll.UntilAsync(() => Task.FromResult(status.Endpoints.All(e => e.Connections == 0)), () => "none is counted");
    }

    private static long AllocatedBy(PerchStatus status)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        _ = status.Endpoints;
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Theory]
    [InlineData("/endpoints?x=1", "'x' is not known here. Known: none.")]
    [InlineData("/connections?limits=1", "'limits' is not known here. Known: limit.")]
    [InlineData("/connections?limit=1&limit=2", "'limit' is given 2 times")]
    [InlineData("/connections?limit=abc", "'limit' is not valid: it is 1 to 10000.")]
    [InlineData("/connections?limit=0", "'limit' is not valid: it is 1 to 10000.")]
    [InlineData("/connections?limit=10001", "'limit' is not valid: it is 1 to 10000.")]
    [InlineData("/connections/recent?limit=5", "'limit' is not known here. Known: none.")]
    [InlineData("/records?order=asc", "'order' is not known")]
    [InlineData("/records/1/raw?x=1", "'x' is not known here. Known: none.")]
    [InlineData("/files?x=1", "'x' is not known")]
    public async Task Query_WithAnUnknownParameterOrValue_IsRefusedWithTheCure(string path, string cure)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings());
        var (status, body) = await host.Admin.GetAsync(path);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(cure, JsonNode.Parse(body)!["detail"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnknownPath_IsNotFound()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings());
        Assert.Equal(HttpStatusCode.NotFound, (await host.Admin.GetAsync("/nothing")).Status);
        Assert.Equal(new JsonArray().ToJsonString(), (await host.Admin.GetJsonAsync("/endpoints")).ToJsonString());
    }
}

using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Perch.Diagnostics;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>Servers that share a database.</summary>
public sealed class PostgresServingTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    [NeighbourFact("postgres")]
    public async Task Lines_TwoServers_ShareKeysAndRecords()
    {
        var settings = Settings(await server.NewDatabaseAsync());
        await using var one = await PerchHost.StartAsync(settings);
        await using var other = await PerchHost.StartAsync(settings);
        using var first = await one.ConnectAsync("lines");
        using var second = await other.ConnectAsync("lines");

        Assert.Equal("OK 1\n", await first.AskAsync("@till/1 a\n", 5));
        Assert.Equal("OK 1\n", await second.AskAsync("@till/1 a\n", 5));
        var answer = await second.AskAsync("@till/2 b\n", 5);
        foreach (var host in (PerchHost[])[one, other])
        {
            var records = await RecordReader.AllAsync(host.Admin);
            Assert.Equal(["a", "b"], records.Select(r => r["data"]!.GetValue<string>()));
            Assert.Equal($"OK {records[1]["id"]}\n", answer);
            Assert.Equal("b", (await host.Admin.GetAsync($"/records/{records[1]["id"]}/raw")).Body);
        }
    }

    [NeighbourFact("postgres")]
    public async Task Commit_SpansOfNpgsql_AreItsChildren()
    {
        using var spans = new SpanRecorder(PerchTracing.SourceName, "Npgsql");
        var database = await server.NewDatabaseAsync();
        await using var host = await PerchHost.StartAsync(Settings(database));
        using var client = await host.ConnectAsync("lines");
        await client.AskAsync("traced\n", 5);

        var commands = spans.Ended
            .Where(span => span.Source.Name == "Npgsql")
            .Where(span => database.Contains($"Database={span.GetTagItem("db.namespace")}", StringComparison.Ordinal))
            .ToList();
        var commits = spans.Ended.Where(span => span.DisplayName == "record commit").Select(span => span.SpanId).ToHashSet();
        Assert.Contains(commands, span => commits.Contains(span.ParentSpanId));
        Assert.DoesNotContain(commands, span => span.ParentSpanId != default && !commits.Contains(span.ParentSpanId));
    }

    [NeighbourFact("postgres")]
    public async Task Stream_RecordOfAnotherServer_Comes()
    {
        var settings = Settings(await server.NewDatabaseAsync());
        await using var one = await PerchHost.StartAsync(settings);
        await using var other = await PerchHost.StartAsync(settings);
        using var client = await other.ConnectAsync("lines");
        await client.AskAsync("before\n", 5);
        using var http = new HttpClient();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        using var response = await http.GetAsync(new Uri($"{one.Admin.Url}/records/stream"), HttpCompletionOption.ResponseHeadersRead, limit.Token);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(limit.Token));
        await client.AskAsync("from the other\n", 5);

        // The position, and an empty line.
        Assert.Equal("id: 1", await reader.ReadLineAsync(limit.Token));
        Assert.Equal("", await reader.ReadLineAsync(limit.Token));
        Assert.Equal("id: 2", await reader.ReadLineAsync(limit.Token));
        Assert.Equal("from the other", JsonNode.Parse((await reader.ReadLineAsync(limit.Token))!["data: ".Length..])!["data"]!.GetValue<string>());
    }

    [NeighbourFact("postgres")]
    public async Task Start_ServerIsAway_SendersAreToldAndItMends()
    {
        await server.StopAsync();
        await using var host = await PerchHost.StartAsync(Settings(server.ConnectionString("postgres")));
        using (var early = await host.ConnectAsync("lines")) Assert.Equal("ERR unavailable not stored, send it again\n", await early.AskAsync("a\n", 42));
        var (status, body) = await host.Admin.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains($"PostgreSQL 127.0.0.1:{server.Port}/postgres cannot be reached", body, StringComparison.Ordinal);

        await server.StartAsync();
        await Poll.UntilAsync(async () => (await host.Admin.GetAsync("/health/ready")).Status == HttpStatusCode.OK, () => "it is ready again", TimeSpan.FromSeconds(5));
        using var late = await host.ConnectAsync("lines");
        Assert.Equal("OK 1\n", await late.AskAsync("a\n", 5));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Host=db;Colour=blue")]
    [InlineData("Database=perch")]
    public async Task Check_ConnectionStringIsNone_NamesTheKey(string connectionString)
    {
        using var folder = new ServerFolder(Settings(connectionString));

        var (code, _, errors) = await ServerProcess.RunAsync(folder, "--check");

        Assert.Equal(2, code);
        Assert.Contains("Perch:Records:ConnectionString", errors, StringComparison.Ordinal);
        Assert.Contains("Host=db;Database=perch;Username=perch", errors, StringComparison.Ordinal);
    }

    private static ServerSettings Settings(string database) => new ServerSettings
    {
        Log = "Warning",
        Records = JsonSerializer.Serialize(new { Store = "Postgres", ConnectionString = database }),
    }.With("lines", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": true } }""");
}

using System.Text.Json;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Logging;

public sealed class AccessLogTests
{
    private const string Key = "a-secret-key";

    [Fact]
    public async Task Request_WithAQueryAndAKey_IsOneLineWithoutThem()
    {
        var host = await StartAsync("Information");
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(host.Admin.Url + "/records%0a%1b?contains=private"));
        request.Headers.Add("X-Api-Key", Key);
        using var response = await client.SendAsync(request);
        await host.DisposeAsync();

        var line = Assert.Single(Lines(host), entry => Property(entry, "Path").Contains("records", StringComparison.Ordinal));
        Assert.Equal(@"/records\n\x1B", Property(line, "Path"));
        Assert.Equal(("GET", "127.0.0.1", "Information"), (Property(line, "Method"), Property(line, "Client"), Level(line)));
        Assert.DoesNotContain("private", host.Log, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, host.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/health/live", "Debug")]
    [InlineData("/metrics", "Debug")]
    [InlineData("/endpoints", "Information")]
    public async Task Request_OfEachKind_HasItsLevel(string path, string level)
    {
        var host = await StartAsync("Debug");
        await host.Admin.GetAsync(path);
        await host.DisposeAsync();

        Assert.Equal(level, Level(Assert.Single(Lines(host), entry => Property(entry, "Path") == path)));
    }

    [Fact]
    public async Task Request_ManyRefused_AreFewWarningsWithTheNumberOfTheOthers()
    {
        var host = await StartAsync("Information");
        using var client = new HttpClient();
        for (var i = 0; i < 50; i++)
        {
            using var response = await client.DeleteAsync(new Uri(host.Admin.Url + "/files/x"));
            Assert.Equal(401, (int)response.StatusCode);
        }

        await host.DisposeAsync();
        var refusals = Lines(host).Where(entry => Property(entry, "StatusCode") == "401").ToList();
        Assert.InRange(refusals.Count, 1, 49);
        Assert.All(refusals, entry => Assert.Equal("Warning", Level(entry)));
    }

    private static Task<PerchHost> StartAsync(string level) =>
        PerchHost.StartAsync(new ServerSettings { Log = level, LogFormat = "Json", ApiKey = Key }.With("echo", """{ "Port": 0, "Protocol": "echo" }"""));

    private static List<JsonElement> Lines(PerchHost host) =>
        [.. host.Log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(entry => Property(entry, "Path").Length > 0)];

    private static string Property(JsonElement entry, string name) =>
        entry.GetProperty("Properties").TryGetProperty(name, out var value) ? value.ToString() : "";

    private static string Level(JsonElement entry) => entry.GetProperty("Level").GetString()!;
}

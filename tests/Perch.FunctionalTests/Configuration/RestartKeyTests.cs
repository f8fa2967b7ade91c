using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Perch.Configuration;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Configuration;

/// <summary>Keys that are read at start only say so, one by one, until the edit is reverted.</summary>
public sealed class RestartKeyTests
{
    [Fact]
    public async Task Reload_KeysThatNeedARestart_AreNamedInLogAndHealthUntilReverted()
    {
        var settings = new ServerSettings { Records = """{ "Path": "a.db" }""" }.With("echo", """{ "Port": 0, "Protocol": "echo" }""");
        await using var host = await PerchHost.StartAsync(settings);
        Assert.Empty(await PendingAsync(host));
        settings.Records = """{ "Path": "b.db" }""";
        settings.Files = """{ "Path": "f" }""";
        settings.Loops = 3;
        settings.AdminUrl = "http://127.0.0.1:31996";
        settings.LogFormat = "Json";
        // Applies at once.
        settings.Log = "Debug";

        host.Folder.Write(settings.ToString());
        string[] keys = ["Kestrel:Endpoints:Admin:Url", "Logging:Format", "Perch:Files:Path", "Perch:Loops", "Perch:Records:Path"];
        await Poll.UntilAsync(async () => (await PendingAsync(host)).Count > 0, () => "the keys are named");
        Assert.Equal(keys, await PendingAsync(host));
        var (status, body) = await host.Admin.GetReadyAsync();
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal($"the files are applied, except for keys that apply at the next start: {string.Join(", ", keys)}",
            body["checks"]!["configuration"]!["description"]!.GetValue<string>());
        foreach (var key in keys)
            await Poll.UntilAsync(() => Count(host, $"{key} has changed and applies at the next start") == 1, () => host.Log);

        settings.Records = """{ "Path": "a.db" }""";
        host.Folder.Write(settings.ToString());
        await Poll.UntilAsync(async () => (await PendingAsync(host)).Count == 4, () => "one edit is reverted");
        Assert.Equal(keys[..4], await PendingAsync(host));
        await Poll.UntilAsync(() => Count(host, "Perch:Records:Path is as at the start again") == 1, () => host.Log);
        Assert.Equal(1, Count(host, "Perch:Loops has changed and applies at the next start"));
    }

    [Fact]
    public async Task RestartKeys_OfTheServer_CoverEverySectionThatIsReadAtStart()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings());
        var keys = host.Services.GetServices<RestartKey>().ToList();

        Assert.Equal(
            ["Kestrel", "Logging", "OTEL_", "Perch:Files", "Perch:Loops", "Perch:Records", "Serilog"],
            keys.Select(key => key.Prefix).Order(StringComparer.Ordinal));
        var row = File.ReadLines(Repository.PathOf("docs/operations.md"))
            .Single(line => line.Contains("| applies at the next start", StringComparison.Ordinal));
        Assert.All(keys, key => Assert.Contains($"`{key.Prefix}`", row, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Serilog:WriteTo:0:Name", true)]
    [InlineData("serilog:writeto", true)]
    [InlineData("Serilog:MinimumLevel:Default", false)]
    [InlineData("SerilogX:WriteTo", false)]
    public void Covers_KeysOfASection_WithoutTheExcept(string key, bool covered) =>
        Assert.Equal(covered, new RestartKey("Serilog", Except: "Serilog:MinimumLevel").Covers(key));

    private static async Task<List<string>> PendingAsync(PerchHost host) =>
        [.. (await host.Admin.GetReadyAsync()).Body["pendingKeys"]!.AsArray().Select(key => key!.GetValue<string>())];

    private static int Count(PerchHost host, string text) =>
        host.Log.Split('\n').Count(line => line.Contains(text, StringComparison.Ordinal));
}

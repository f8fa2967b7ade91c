using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Logging;

/// <summary>The levels of a running server follow the file.</summary>
public sealed class LogLevelTests
{
    private const string Overrides = "\"Microsoft\":\"Warning\"";

    [Fact]
    public async Task Override_AddedChangedAndRemoved_AppliesAtRunTime()
    {
        var settings = new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }""");
        await using var host = await PerchHost.StartAsync(settings);
        var loggers = host.Services.GetRequiredService<ILoggerFactory>();
        var (log, other) = (loggers.CreateLogger("Perch.Connections"), loggers.CreateLogger("Perch.Endpoints"));
        Assert.False(log.IsEnabled(LogLevel.Debug));

        host.Folder.Write(With(settings, "\"Perch.Connections\":\"Debug\""));
        await Poll.UntilAsync(() => log.IsEnabled(LogLevel.Debug), () => "a new override applies");
        Assert.False(log.IsEnabled(LogLevel.Trace));
        Assert.False(other.IsEnabled(LogLevel.Debug));
        log.LogDebug("written as an override allows it");
        await Poll.UntilAsync(() => host.Log.Contains("DBG] written as an override allows it", StringComparison.Ordinal), () => host.Log);

        host.Folder.Write(With(settings, "\"Perch.Connections\":\"Error\""));
        await Poll.UntilAsync(() => !log.IsEnabled(LogLevel.Warning), () => "a changed override applies");

        host.Folder.Write(settings.ToString());
        await Poll.UntilAsync(() => log.IsEnabled(LogLevel.Information), () => "a removed override applies no more");
        Assert.False(log.IsEnabled(LogLevel.Debug));
    }

    [Fact]
    public async Task Default_Changed_AppliesToTheAccessLogToo()
    {
        var settings = new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }""");
        await using var host = await PerchHost.StartAsync(settings);
        var log = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Perch.Endpoints");
        await host.Admin.GetAsync("/health/live");

        settings.Log = "Debug";
        host.Folder.Write(settings.ToString());
        await Poll.UntilAsync(() => log.IsEnabled(LogLevel.Debug), () => "the level applies");
        await host.Admin.GetAsync("/health/ready");
        await Poll.UntilAsync(() => host.Log.Contains("DBG] GET /health/ready", StringComparison.Ordinal), () => host.Log);
        Assert.DoesNotContain("GET /health/live", host.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Override_InAFileWithAFault_DoesNotApply()
    {
        var settings = new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }""");
        await using var host = await PerchHost.StartAsync(settings);
        var log = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Perch.Connections");

        host.Folder.Write(With(settings, "\"Perch.Connections\":\"Debug\"").Replace("\"ApiKey\"", "\"ApKey\"", StringComparison.Ordinal));
        await Poll.UntilAsync(async () => (int)(await host.Admin.GetReadyAsync()).Status == 503, () => "the fault is shown");
        Assert.False(log.IsEnabled(LogLevel.Debug));
    }

    private static string With(ServerSettings settings, string level)
    {
        var json = settings.ToString();
        Assert.Contains(Overrides, json, StringComparison.Ordinal);
        return json.Replace(Overrides, $"{Overrides},{level}", StringComparison.Ordinal);
    }
}

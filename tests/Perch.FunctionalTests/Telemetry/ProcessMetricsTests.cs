using Microsoft.Extensions.DependencyInjection;
using Perch.Server.Telemetry;

namespace Perch.FunctionalTests.Telemetry;

public sealed class ProcessMetricsTests
{
    [Fact]
    public async Task Scrape_OnLinux_HasDescriptorsThreadsAndStartTime()
    {
        await using var host = await TinyHost.StartAsync();

        var text = await host.ScrapeAsync();

        var start = Value(text, "process_start_time_seconds");
        Assert.InRange(start, 0, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 1);
        Assert.True(start > TimeProvider.System.GetUtcNow().AddDays(-1).ToUnixTimeSeconds());
        if (!OperatingSystem.IsLinux())
            return;
        Assert.InRange(Value(text, "process_threads"), 2, 10_000);
        Assert.InRange(Value(text, "process_open_fds"), 3, Value(text, "process_max_fds"));
    }

    [Fact]
    public void Constructor_WithoutConsoleBuffer_IsEnough()
    {
        using var services = new ServiceCollection().AddMetrics().AddSingleton<ProcessMetrics>().BuildServiceProvider();

        Assert.NotNull(services.GetRequiredService<ProcessMetrics>());
    }

    private static double Value(string text, string name) =>
        double.Parse(text.Split('\n').Single(line => line.StartsWith(name + "{} ", StringComparison.Ordinal))[(name.Length + 3)..]);
}

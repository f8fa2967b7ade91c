namespace Perch.FunctionalTests.Telemetry;

public sealed class SeriesTests
{
    [Fact]
    public async Task Dump()
    {
        await using var host = await SeriesScene.StartAsync();
        var text = (await host.Admin.GetMetricsAsync()).Text;
        await File.WriteAllTextAsync("/tmp/base.metrics", text);
        await File.WriteAllLinesAsync("/tmp/base.series", MetricSeries.Parse(text).Select(s => s.ToString()));
    }
}

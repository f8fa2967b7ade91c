using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;

namespace Perch.FunctionalTests.Telemetry;

public sealed class PrometheusEndpointTests
{
    [Fact]
    public async Task Get_Metrics_HasTheFormatsContentType()
    {
        await using var host = await TinyHost.StartAsync();

        using var response = await host.GetMetricsAsync();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        var text = await response.Content.ReadAsStringAsync();
        Assert.Contains("service_name=\"perch\",service_version=\"0.", text);
        Assert.Contains("\ndotnet_gc_heap_total_allocated_bytes_total{} ", text);
        Assert.Contains("\nprocess_start_time_seconds{} 1", text);
        Assert.Contains("\n# TYPE dotnet_thread_pool_threads gauge\n", text);
    }

    [Fact]
    public async Task Get_MeterOlderThanTheProvider_IsShown()
    {
        Counter<long>? early = null;
        await using var host = await TinyHost.StartAsync(beforeTelemetry: factory =>
            early = factory.Create("Perch").CreateCounter<long>("perch.messages", "{message}", "Messages."));

        early!.Add(4);

        Assert.Contains("\nperch_messages_total{} 4\n", await host.ScrapeAsync());
    }

    [Fact]
    public async Task Get_TwoHostsInOneProcess_ShowTheirOwn()
    {
        await using var one = await TinyHost.StartAsync();
        await using var two = await TinyHost.StartAsync();
        one.CreateMeter().CreateCounter<long>("perch.messages").Add(1);
        two.CreateMeter().CreateCounter<long>("perch.messages").Add(2);

        Assert.Contains("\nperch_messages_total{} 1\n", await one.ScrapeAsync());
        Assert.Contains("\nperch_messages_total{} 2\n", await two.ScrapeAsync());
    }

    [Fact]
    public async Task Get_Durations_HaveBucketsOfTheirOwn()
    {
        await using var host = await TinyHost.StartAsync();
        var meter = host.CreateMeter();
        meter.CreateHistogram<double>("perch.connection.duration", "s").Record(100);
        meter.CreateHistogram<double>("perch.message.duration", "s").Record(0.00002);

        var text = await host.ScrapeAsync();

        Assert.Contains("\nperch_connection_duration_seconds_bucket{le=\"60\"} 0\n", text);
        Assert.Contains("\nperch_connection_duration_seconds_bucket{le=\"3600\"} 1\n", text);
        Assert.Contains("\nperch_message_duration_seconds_bucket{le=\"1E-05\"} 0\n", text);
        Assert.Contains("\nperch_message_duration_seconds_bucket{le=\"2.5E-05\"} 1\n", text);
    }

    [Fact]
    public async Task Get_InParallel_EachAnswerIsWhole()
    {
        await using var host = await TinyHost.StartAsync();
        var counter = host.CreateMeter().CreateCounter<long>("perch.messages", "{message}", "Messages.");
        for (var i = 0; i < 500; i++)
            counter.Add(1, new KeyValuePair<string, object?>("endpoint", "endpoint-" + i));

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(host.ScrapeAsync)));

        Assert.All(answers, text =>
        {
            var lines = text.Split('\n');
            Assert.Equal(500, lines.Count(line => line.StartsWith("perch_messages_total{", StringComparison.Ordinal)));
            Assert.Equal(lines.Length, lines.Distinct(StringComparer.Ordinal).Count());
            Assert.Equal("", lines[^1]);
        });
    }

    [NeighbourFact("promtool")]
    public async Task Get_EverythingPerchMeasures_PassesPromtool()
    {
        await using var host = await TinyHost.StartAsync();
        MeasureEverything(host.CreateMeter());
        // What the runtime shows only after it has happened.
        GC.Collect();
        try { throw new InvalidOperationException("for dotnet.exceptions"); }
        catch (InvalidOperationException) { }
        var text = await host.ScrapeAsync();
        Assert.Contains("\ndotnet_exceptions_total{", text);
        Assert.Contains("\nperch_connections_ended_total{", text);

        var (exitCode, output) = await PromtoolCheckAsync(text);

        Assert.Equal("", output);
        Assert.Equal(0, exitCode);
    }

    [NeighbourFact("promtool")]
    public async Task Promtool_AMetricWithoutHelp_IsReported()
    {
        var (exitCode, output) = await PromtoolCheckAsync("# TYPE things counter\nthings 1\n");

        Assert.NotEqual(0, exitCode);
        Assert.Contains("no help text", output);
    }

    private static void MeasureEverything(Meter meter)
    {
        KeyValuePair<string, object?>[] tags = [new("endpoint", "echo"), new("protocol", "echo")];
        meter.CreateUpDownCounter<long>("perch.connections.active", "{connection}", "Connections that are open.").Add(1, tags);
        meter.CreateCounter<long>("perch.connections.accepted", "{connection}", "Connections accepted.").Add(1, tags);
        meter.CreateCounter<long>("perch.connections.ended", "{connection}", "Connections ended.").Add(1, [.. tags, new("outcome", "Completed")]);
        meter.CreateHistogram<double>("perch.connection.duration", "s", "How long connections live.").Record(3, tags);
        meter.CreateCounter<long>("perch.bytes.received", "By", "Bytes received.").Add(64, tags);
        meter.CreateCounter<long>("perch.bytes.sent", "By", "Bytes sent.").Add(64, tags);
        meter.CreateCounter<long>("perch.messages", "{message}", "Messages handled.").Add(1, tags);
        meter.CreateHistogram<double>("perch.message.duration", "s", "How long handlers take.").Record(0.001, tags);
        meter.CreateObservableGauge("perch.endpoint.state", () => new Measurement<int>(1, tags), null, "Whether an endpoint is bound.");
    }

    private static async Task<(int ExitCode, string Output)> PromtoolCheckAsync(string text)
    {
        using var promtool = Process.Start(new ProcessStartInfo("promtool", ["check", "metrics"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = promtool.StandardOutput.ReadToEndAsync();
        var errors = promtool.StandardError.ReadToEndAsync();
        await promtool.StandardInput.WriteAsync(text);
        promtool.StandardInput.Close();
        await promtool.WaitForExitAsync();
        return (promtool.ExitCode, await output + await errors);
    }
}

using OpenTelemetry.Metrics;
using Perch.Server.Telemetry;

namespace Perch.FunctionalTests.Telemetry;

public sealed class PrometheusNamesTests
{
    [Theory]
    [InlineData("perch.bytes.received", "By", MetricType.LongSum, "perch_bytes_received_total")]
    [InlineData("perch.connections.accepted", "{connection}", MetricType.LongSum, "perch_connections_accepted_total")]
    [InlineData("perch.connections.active", "{connection}", MetricType.LongSumNonMonotonic, "perch_connections_active")]
    [InlineData("perch.connection.duration", "s", MetricType.Histogram, "perch_connection_duration_seconds")]
    [InlineData("heap.size", "By", MetricType.LongGauge, "heap_size_bytes")]
    [InlineData("heap.kilobytes", "By", MetricType.LongGauge, "heap_kilobytes_bytes")]
    [InlineData("wait", "ms", MetricType.DoubleSum, "wait_milliseconds_total")]
    [InlineData("jobs.total", "", MetricType.LongSum, "jobs_total")]
    [InlineData("jobs.total", "s", MetricType.DoubleSum, "jobs_seconds_total")]
    [InlineData("load", "1", MetricType.DoubleGauge, "load_ratio")]
    [InlineData("retries", "1", MetricType.LongSum, "retries_total")]
    [InlineData("queue", "1", MetricType.LongSumNonMonotonic, "queue")]
    [InlineData("load", "%", MetricType.DoubleGauge, "load_percent")]
    [InlineData("disk.rate", "By/s", MetricType.DoubleGauge, "disk_rate_bytes_per_second")]
    [InlineData("rate", "{request}/s", MetricType.DoubleGauge, "rate_per_second")]
    [InlineData("size", "{packet}By", MetricType.LongGauge, "size_bytes")]
    [InlineData("size", "widgets", MetricType.LongGauge, "size_widgets")]
    [InlineData("broken", "{open", MetricType.LongGauge, "broken")]
    [InlineData("2xx.answers", "", MetricType.LongSum, "_2xx_answers_total")]
    [InlineData("a..b--c/d", "", MetricType.LongGauge, "a_b_c_d")]
    [InlineData("a:b", "", MetricType.LongGauge, "a:b")]
    [InlineData("dotnet.thread_pool.thread.count", "{thread}", MetricType.LongSum, "dotnet_thread_pool_threads")]
    [InlineData("dotnet.assembly.count", "{assembly}", MetricType.LongSumNonMonotonic, "dotnet_assemblies")]
    public void Metric_NameUnitAndType_FollowTheCompatibilitySpecification(string name, string unit, MetricType type, string expected) =>
        Assert.Equal(expected, PrometheusNames.Metric(name, unit, type));

    [Theory]
    [InlineData("endpoint", "endpoint")]
    [InlineData("network.transport", "network_transport")]
    [InlineData("a:b", "a_b")]
    [InlineData("0day", "_0day")]
    [InlineData("__name__", "_name_")]
    [InlineData("", "_")]
    public void Label_AnyKey_IsAValidLabelName(string key, string expected) => Assert.Equal(expected, PrometheusNames.Label(key));
}

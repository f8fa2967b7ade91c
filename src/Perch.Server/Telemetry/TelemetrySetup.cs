using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Perch.Server.Telemetry;

/// <summary>Set-up of OpenTelemetry: the meters and activity sources that are read, and the exporters.</summary>
internal static class TelemetrySetup
{
    // Kestrel's meter is not read: it labels its instruments with addresses (server.address), and Perch counts the same
    // connections with labels that are bounded by the configuration.
    private static readonly string[] Meters = ["Perch", ProcessMetrics.MeterName, "System.Runtime"];

    private static readonly string[] ActivitySources = ["Perch", "Perch.S3", "Npgsql"];

    // From a refused connection to one that lives as long as a device's session.
    private static readonly ExplicitBucketHistogramConfiguration ConnectionSeconds = new()
    {
        Boundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600],
    };

    // From an echo to a store that waits for its disk.
    private static readonly ExplicitBucketHistogramConfiguration MessageSeconds = new()
    {
        Boundaries = [0.00001, 0.000025, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10],
    };

    /// <summary>
    /// Collects the metrics of this host for <c>/metrics</c>. Exports metrics, traces and logs over OTLP, each only if
    /// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> or the key of the signal (<c>OTEL_EXPORTER_OTLP_TRACES_ENDPOINT</c>) is set. Without
    /// an exporter no activity source has a listener, and no log line is copied.
    /// </summary>
    public static IServiceCollection AddPerchTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<ProcessMetrics>();
        services.AddSingleton<ExportFailures>();
        services.ConfigureOpenTelemetryMeterProvider((provider, metrics) =>
        {
            var factory = provider.GetRequiredService<IMeterFactory>();
            metrics.AddView(instrument => View(instrument, factory));
        });
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(ConfigureResource)
            .WithMetrics(metrics => metrics
                .AddMeter(Meters)
                .AddInstrumentation(provider => provider.GetRequiredService<ProcessMetrics>())
                .AddInstrumentation(provider => provider.GetRequiredService<ExportFailures>())
                .AddPrometheusExporter(prometheus =>
                {
                    prometheus.ScopeInfoEnabled = false;
                    // A scrape shows the counts of its own time: a cached scrape would show those of an earlier one.
                    prometheus.ScrapeResponseCacheDurationMilliseconds = 0;
                }));
        AddOtlp(telemetry, configuration);
        return services;
    }

    private static void AddOtlp(OpenTelemetryBuilder telemetry, IConfiguration configuration)
    {
        var (metrics, traces, logs) = (new OtlpSignal(configuration, "METRICS"), new OtlpSignal(configuration, "TRACES"), new OtlpSignal(configuration, "LOGS"));
        if (metrics.IsExported)
            telemetry.WithMetrics(builder => builder.AddOtlpExporter(metrics.Name, metrics.Configure));
        if (traces.IsExported)
            telemetry.WithTracing(builder => builder.AddSource(ActivitySources).AddOtlpExporter(traces.Name, traces.Configure));
        if (logs.IsExported)
        {
            telemetry.WithLogging(
                builder => builder.AddProcessor(new ConnectionLogProcessor()).AddOtlpExporter(logs.Name, logs.Configure),
                options => options.IncludeFormattedMessage = true);
        }
    }

    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come last, so that they override what the program says of itself.
    private static void ConfigureResource(ResourceBuilder resource) => resource
        .Clear()
        .AddService("perch", serviceVersion: ServerVersion.Text)
        .AddTelemetrySdk()
        .AddEnvironmentVariableDetector();

    // One function, because each view that matches makes a stream of its own.
    private static MetricStreamConfiguration? View(Instrument instrument, IMeterFactory factory)
    {
        // Two hosts in one process have a meter "Perch" each: a host shows its own meters, and those that belong to no host.
        if (instrument.Meter.Scope is { } scope && scope != factory)
            return MetricStreamConfiguration.Drop;
        return instrument.Name switch
        {
            "perch.connection.duration" => ConnectionSeconds,
            // A gauge whose name ends in _count fails `promtool check metrics`.
            "dotnet.assembly.count" => new MetricStreamConfiguration { Name = "dotnet.assemblies" },
            "dotnet.process.cpu.count" => new MetricStreamConfiguration { Name = "dotnet.process.cpus" },
            "dotnet.timer.count" => new MetricStreamConfiguration { Name = "dotnet.timers" },
            // The runtime registers these two as counters, although they go down (dotnet/runtime#126167). ProcessMetrics has gauges.
            "dotnet.thread_pool.thread.count" => MetricStreamConfiguration.Drop,
            "dotnet.thread_pool.queue.length" when instrument.Meter.Name == "System.Runtime" => MetricStreamConfiguration.Drop,
            _ => instrument is Histogram<double> { Unit: "s", Meter.Name: "Perch" } ? MessageSeconds : null,
        };
    }
}

using System.Diagnostics.Metrics;
using System.Reflection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Perch.Configuration;

namespace Perch.Server.Telemetry;

/// <summary>All of telemetry's set-up: which meters are read, how, and where the numbers go.</summary>
internal static class TelemetrySetup
{
    // Kestrel's meter is not read: it labels its instruments with addresses (server.address), and Perch counts the same
    // connections with labels that are bounded by the configuration.
    private static readonly string[] Meters = ["Perch", ProcessMetrics.MeterName, "System.Runtime"];

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
    /// Collects the metrics of this host for <c>MapPrometheus</c>, and pushes them over OTLP where
    /// <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> (or its <c>_METRICS_</c> form) is set; the other <c>OTEL_</c> keys apply too.
    /// </summary>
    /// <exception cref="PerchConfigurationException">The endpoint's address is not an http or https URL.</exception>
    public static IServiceCollection AddPerchTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        var push = IsPushConfigured(configuration);
        services.AddMetrics();
        services.AddSingleton<ProcessMetrics>();
        services.AddSingleton<PrometheusExporter>();
        // Swap here: with OpenTelemetry.Extensions.Hosting and OpenTelemetry.Exporter.Prometheus.AspNetCore the next two
        // lines are services.AddOpenTelemetry().WithMetrics(...), and PrometheusExporter and its endpoint go.
        services.AddSingleton(provider => CreateProvider(provider, configuration, push));
        services.AddHostedService<Activation>();
        return services;
    }

    private static MeterProvider CreateProvider(IServiceProvider services, IConfiguration configuration, bool push)
    {
        var factory = services.GetRequiredService<IMeterFactory>();
        var builder = Sdk.CreateMeterProviderBuilder()
            // The SDK reads its OTEL_ keys from here instead of from the process's environment alone.
            .ConfigureServices(own => own.AddSingleton(configuration))
            .SetResourceBuilder(ResourceBuilder.CreateEmpty()
                .AddService("perch", serviceVersion: Version())
                .AddTelemetrySdk()
                .AddEnvironmentVariableDetector())
            .AddMeter(Meters)
            .AddView(instrument => View(instrument, factory))
            .AddReader(new BaseExportingMetricReader(services.GetRequiredService<PrometheusExporter>()));
        if (push)
            builder.AddOtlpExporter();
        return builder.Build();
    }

    // One function, because every view that matches makes a stream of its own.
    private static MetricStreamConfiguration? View(Instrument instrument, IMeterFactory factory)
    {
        // Two hosts in one process have a meter "Perch" each: a host shows its own, and those that belong to no host.
        if (instrument.Meter.Scope is { } scope && scope != factory)
            return MetricStreamConfiguration.Drop;
        if (instrument.Name == "perch.connection.duration")
            return ConnectionSeconds;
        return instrument is Histogram<double> { Unit: "s", Meter.Name: "Perch" } ? MessageSeconds : null;
    }

    private static bool IsPushConfigured(IConfiguration configuration)
    {
        var configured = false;
        foreach (var key in (string[])["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"])
        {
            if (configuration[key] is not { } value || string.IsNullOrWhiteSpace(value))
                continue;
            // The SDK would fall back to localhost without a word.
            if (!Uri.TryCreate(value, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
                throw new PerchConfigurationException([new(key, $"'{value}' is not a URL", "Write a URL such as http://collector:4317, or leave it empty")]);
            configured = true;
        }
        return configured;
    }

    // Without the commit that the build appends after a plus sign.
    private static string? Version() =>
        typeof(TelemetrySetup).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];

    // Creates the singletons when the host starts. Their end is the container's: disposing the provider pushes the last
    // numbers, for at most five seconds.
    private sealed class Activation(IServiceProvider services) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            services.GetRequiredService<MeterProvider>();
            services.GetRequiredService<ProcessMetrics>();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

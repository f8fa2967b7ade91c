using System.Diagnostics.Metrics;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Perch.Server.Telemetry;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>An exporter over meters of its own, without a host.</summary>
internal sealed class Scraper : IDisposable
{
    private readonly MeterProvider _provider;
    private readonly string _name = Guid.NewGuid().ToString("N");

    public Scraper(Action<MeterProviderBuilder>? configure = null, ResourceBuilder? resource = null)
    {
        Meter = new Meter(_name + ".a");
        OtherMeter = new Meter(_name + ".b");
        var builder = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource ?? ResourceBuilder.CreateEmpty())
            .AddMeter(Meter.Name, OtherMeter.Name)
            .AddReader(new BaseExportingMetricReader(Exporter));
        configure?.Invoke(builder);
        _provider = builder.Build();
    }

    public PrometheusExporter Exporter { get; } = new();

    public Meter Meter { get; }

    public Meter OtherMeter { get; }

    public async Task<string> ScrapeAsync()
    {
        var result = "";
        Assert.True(await Exporter.ScrapeAsync(text => result = Encoding.UTF8.GetString(text.Span), CancellationToken.None));
        return result;
    }

    public void Dispose()
    {
        _provider.Dispose();
        Meter.Dispose();
        OtherMeter.Dispose();
    }
}

using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Perch.Server.Telemetry;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>A real Kestrel with telemetry and nothing else, on a port of the system's choice.</summary>
internal sealed class TinyHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client = new();

    private TinyHost(WebApplication app) => _app = app;

    public IServiceProvider Services => _app.Services;

    public static async Task<TinyHost> StartAsync(
        IEnumerable<KeyValuePair<string, string?>>? settings = null,
        Action<IMeterFactory>? beforeTelemetry = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddRoutingCore();
        builder.Services.AddPerchTelemetry(builder.Configuration);
        var app = builder.Build();
        beforeTelemetry?.Invoke(app.Services.GetRequiredService<IMeterFactory>());
        app.UseRouting();
        app.MapPrometheusScrapingEndpoint("/metrics");
        await app.StartAsync();
        return new TinyHost(app);
    }

    public Meter CreateMeter() => Services.GetRequiredService<IMeterFactory>().Create("Perch");

    public Task<HttpResponseMessage> GetMetricsAsync() => _client.GetAsync(new Uri(_app.Urls.First() + "/metrics"));

    public async Task<string> ScrapeAsync()
    {
        using var response = await GetMetricsAsync();
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsStringAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}

using System.Buffers;
using OpenTelemetry.Metrics;

namespace Perch.Server.Telemetry;

internal static class PrometheusEndpoint
{
    /// <summary>Answers a GET of <paramref name="pattern"/> with all metrics; 503 while the process stops.</summary>
    public static IEndpointConventionBuilder MapPrometheus(this IEndpointRouteBuilder endpoints, string pattern)
    {
        // Nobody else has to ask for the provider first: without it the exporter has nothing to collect from.
        _ = endpoints.ServiceProvider.GetRequiredService<MeterProvider>();
        var exporter = endpoints.ServiceProvider.GetRequiredService<PrometheusExporter>();
        return endpoints.MapGet(pattern, (RequestDelegate)(context => ScrapeAsync(exporter, context)));
    }

    private static async Task ScrapeAsync(PrometheusExporter exporter, HttpContext context)
    {
        var response = context.Response;
        var collected = await exporter.ScrapeAsync(
            text =>
            {
                response.ContentType = PrometheusExporter.ContentType;
                response.ContentLength = text.Length;
                response.BodyWriter.Write(text.Span);
            },
            context.RequestAborted);
        if (!collected)
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        // The wait for the peer is here, after the exporter is free for the next scrape.
        await response.BodyWriter.FlushAsync(context.RequestAborted);
    }
}

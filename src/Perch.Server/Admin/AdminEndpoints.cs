using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Perch.Diagnostics;

namespace Perch.Server.Admin;

/// <summary>The admin endpoint: health and metrics for everybody, the rest for this machine or who has the key.</summary>
internal static class AdminEndpoints
{
    private const int MostConnections = 10_000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static void MapAdmin(this WebApplication app)
    {
        AccessLog.Use(app);
        ClientFaults.Use(app);
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false });
        app.MapHealthChecks("/health/ready", new() { ResponseWriter = WriteHealthAsync });
        app.MapPrometheusScrapingEndpoint("/metrics");

        var guarded = app.MapGroup("").AddEndpointFilter<AdminAccessFilter>();
        guarded.ServeHead();
        guarded.MapGet("/endpoints", (PerchStatus status) => Results.Json(status.Endpoints, Json));
        guarded.MapGet("/connections", (PerchStatus status, int? limit) =>
            Results.Json(status.Connections(Math.Clamp(limit ?? 1000, 1, MostConnections)), Json));
        guarded.MapRecords();
        guarded.MapFiles();
        guarded.MapGet("/connections/recent", (PerchStatus status) => Results.Json(status.RecentConnections, Json));
    }

    private static Task WriteHealthAsync(HttpContext context, HealthReport report)
    {
        var status = context.RequestServices.GetRequiredService<PerchStatus>();
        return context.Response.WriteAsJsonAsync(new
        {
            report.Status,
            Checks = report.Entries.ToDictionary(e => e.Key, e => new { e.Value.Status, e.Value.Description }),
            Endpoints = status.Endpoints.ToLookup(e => e.Name).Select(named => named.MaxBy(e => e.State == Endpoints.EndpointState.Listening)),
            status.ConfigurationFaults,
        }, Json, context.RequestAborted);
    }
}

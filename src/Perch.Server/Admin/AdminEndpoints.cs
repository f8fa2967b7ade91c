using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Perch.Diagnostics;

namespace Perch.Server.Admin;

/// <summary>The admin endpoint: health and metrics without a key, the rest as <see cref="AdminAccess"/> allows it.</summary>
internal static class AdminEndpoints
{
    private const int DefaultConnections = 1000;
    private const int MostConnections = 10_000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static void MapAdmin(this WebApplication app)
    {
        app.Use(next => context => app.Services.GetRequiredService<AdminConnections>().OnRequestAsync(context, next));
        AccessLog.Use(app);
        ClientFaults.Use(app);
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false });
        app.MapHealthChecks("/health/ready", new() { ResponseWriter = WriteHealthAsync });
        app.MapPrometheusScrapingEndpoint("/metrics");

        var guarded = app.MapGroup("").AddEndpointFilter<AdminAccessFilter>();
        guarded.ServeHead();
        guarded.MapGet("/endpoints", (PerchStatus status) => Results.Json(status.Endpoints, Json)).WithQuery();
        guarded.MapGet("/connections", GetConnections).WithQuery("limit");
        guarded.MapRecords();
        guarded.MapFiles();
        guarded.MapGet("/connections/recent", (PerchStatus status) => Results.Json(status.RecentConnections, Json)).WithQuery();
    }

    private static IResult GetConnections(PerchStatus status, string? limit)
    {
        var most = DefaultConnections;
        var isValid = limit is null
            || (int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out most) && most is >= 1 and <= MostConnections);
        return isValid
            ? Results.Json(status.Connections(most), Json)
            : Results.Problem($"'limit' is not valid: it is 1 to {MostConnections}.", statusCode: StatusCodes.Status400BadRequest);
    }

    /// <remarks>
    /// Readiness needs no key, and descriptions have paths, addresses and host names. A request that may read <c>/endpoints</c> gets all of
    /// it; every other one gets the names, so that a load balancer's operator sees which check is red.
    /// </remarks>
    private static Task WriteHealthAsync(HttpContext context, HealthReport report)
    {
        var status = context.RequestServices.GetRequiredService<PerchStatus>();
        var mayReadAll = context.RequestServices.GetRequiredService<AdminAccess>().Check(context) is null;
        var endpoints = status.Endpoints.ToLookup(e => e.Name).Select(named => named.MaxBy(e => e.State == Endpoints.EndpointState.Listening)!);
        return context.Response.WriteAsJsonAsync(new
        {
            report.Status,
            Checks = report.Entries.ToDictionary(e => e.Key, e => new { e.Value.Status, Description = mayReadAll ? e.Value.Description : null }),
            Endpoints = mayReadAll ? endpoints.Cast<object>() : endpoints.Select(e => new { e.Name, e.Protocol, e.State }),
            ConfigurationFaults = mayReadAll ? status.ConfigurationFaults.Cast<object>() : status.ConfigurationFaults.Select(fault => new { fault.Key }),
            PendingKeys = mayReadAll ? status.PendingKeys : [],
        }, Json, context.RequestAborted);
    }
}

using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Perch.Records;

/// <summary>Records can be stored.</summary>
internal sealed class RecordsHealthCheck(RecordWriter writer) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(writer.Problem is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy("records are stored"));
}

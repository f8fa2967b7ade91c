using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Perch.Protocols.Files;

/// <summary>Files can be stored.</summary>
internal sealed class FilesHealthCheck(FileStoreService files) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(files.Problem is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy("files are stored"));
}

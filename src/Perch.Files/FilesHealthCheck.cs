using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Perch.Files;

/// <summary>Files can be stored; degraded while a limit of the store is reached.</summary>
internal sealed class FilesHealthCheck(FileStoreService files) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(files.Problem is { } problem ? HealthCheckResult.Unhealthy(problem)
            : files.LimitReached is { } limit ? HealthCheckResult.Degraded($"{limit}: idle uploads are dropped, or new ones refused")
            : HealthCheckResult.Healthy("files are stored"));
}

using Microsoft.Extensions.Diagnostics.HealthChecks;
using Perch.Endpoints;

namespace Perch.Diagnostics;

/// <summary>Every endpoint that the configuration has is bound.</summary>
internal sealed class EndpointsHealthCheck(PerchStatus status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var unbound = status.Endpoints.Where(e => e.State is EndpointState.Failed or EndpointState.Binding).ToList();
        return Task.FromResult(unbound.Count == 0
            ? HealthCheckResult.Healthy("every endpoint is bound")
            : HealthCheckResult.Unhealthy(string.Join("; ", unbound.Select(e => $"{e.Name} ({e.Address}): {e.Reason ?? e.State.ToString()}"))));
    }
}

/// <summary>The configuration in the files has no faults. Keys that apply at the next start are named; they are not a fault.</summary>
internal sealed class ConfigurationHealthCheck(PerchStatus status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (status.ConfigurationFaults is { Count: > 0 } faults)
            return Task.FromResult(HealthCheckResult.Unhealthy(string.Join(" ", faults)));
        return Task.FromResult(HealthCheckResult.Healthy(status.PendingKeys is { Count: > 0 } keys
            ? $"the files are applied, except for keys that apply at the next start: {string.Join(", ", keys)}"
            : "the files are applied"));
    }
}

/// <summary>The host was not told to stop.</summary>
internal sealed class StoppingHealthCheck(PerchStatus status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(status.IsStopping ? HealthCheckResult.Unhealthy("the server stops") : HealthCheckResult.Healthy("the server runs"));
}

/// <summary>Peers occupy no more memory than the budget.</summary>
internal sealed class MemoryHealthCheck(MemoryBudget budget) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var used = $"peers occupy {budget.Used} of {budget.Plan.Budget} bytes";
        return Task.FromResult(budget.IsRefusing
            ? HealthCheckResult.Unhealthy($"{used}: no connection is accepted until it is below 95 %. Raise Perch:MemoryBudget with the memory of the container, or lower Guards:MaxConnections and MaxMessageBytes")
            : HealthCheckResult.Healthy(used));
    }
}

/// <summary>Descriptors are left for more connections and transfers.</summary>
internal sealed class DescriptorsHealthCheck(DescriptorBudget budget) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (budget.Plan.Limit is not { } limit)
            return Task.FromResult(HealthCheckResult.Healthy("this system does not report them"));
        var left = $"{limit - budget.Used} of {limit} left";
        return Task.FromResult(budget.IsExhausted
            ? HealthCheckResult.Unhealthy($"{left}: new connections and transfers wait or are refused. Raise the limit of open files, or lower Perch:MaxConnections")
            : HealthCheckResult.Healthy(left));
    }
}

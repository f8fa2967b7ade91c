using System.Globalization;
using Perch.Diagnostics;

namespace Perch.Configuration;

/// <summary>Compares what the configuration needs with the limit of open files.</summary>
internal static class DescriptorCheck
{
    private const string Raise = "ulimit -n, LimitNOFILE= of a systemd unit, or NOFILE of docker-compose.yml";

    /// <returns>The fault of a limit that is too small to serve anything; else null.</returns>
    public static ConfigFault? Fault(DescriptorPlan plan) => plan.IsTooSmall
        ? new("limit of open files", $"{plan}; at least {DescriptorPlan.LeastConnections} connections are needed", $"Raise the limit: {Raise}")
        : null;

    /// <param name="plan">The division of the limit.</param>
    /// <param name="maxConnections">The value of <c>Perch:MaxConnections</c>.</param>
    /// <returns>The warning about a cap that the limit does not allow; else null.</returns>
    public static string? Warning(DescriptorPlan plan, int maxConnections)
    {
        if (plan.Limit is null || plan.IsTooSmall || maxConnections <= plan.Connections)
            return null;
        var needed = DescriptorPlan.LimitFor(maxConnections);
        return string.Create(CultureInfo.InvariantCulture,
            $"Perch:MaxConnections is {maxConnections}, more than there are descriptors for: {plan}. Connections above that wait until others "
            + $"end. Raise the limit of open files to {needed} ({Raise}), or lower Perch:MaxConnections");
    }
}

using System.Globalization;
using Perch.Diagnostics;

namespace Perch.Configuration;

/// <summary>Compares what the configuration needs with the limit of open files.</summary>
internal static class DescriptorCheck
{
    private const string Raise = "ulimit -n, LimitNOFILE= of a systemd unit, or NOFILE of docker-compose.yml";

    /// <returns>The fault of a limit that is too small to serve anything; else null.</returns>
    public static ConfigFault? Fault(DescriptorPlan plan) => plan.IsTooSmall
        ? new("limit of open files", $"{plan}; at least 1 connection is needed", $"Raise the limit to {plan.LimitFor(1)}: {Raise}")
        : null;

    /// <param name="plan">The division of the limit.</param>
    /// <param name="maxConnections">The value of <c>Perch:MaxConnections</c>; null if it is not written.</param>
    /// <returns>A warning about each cap that the limit does not allow.</returns>
    public static IEnumerable<string> Warnings(DescriptorPlan plan, int? maxConnections)
    {
        if (plan.Limit is null || plan.IsTooSmall)
            yield break;
        var needed = plan.LimitFor(maxConnections ?? 1);
        if (maxConnections > plan.Connections)
        {
            yield return string.Create(CultureInfo.InvariantCulture,
                $"Perch:MaxConnections is {maxConnections}, more than there are descriptors for: {plan}. Connections above that wait until "
                + $"others end. Raise the limit of open files to {needed} ({Raise}), or lower Perch:MaxConnections");
        }

        if (plan.IsAdminReduced)
        {
            yield return string.Create(CultureInfo.InvariantCulture,
                $"Kestrel:Limits:MaxConcurrentConnections asks for more than there are descriptors for: {plan}. The admin endpoint has "
                + $"{plan.Admin} connections. Raise the limit of open files to {needed} ({Raise}), or lower the key");
        }
    }
}

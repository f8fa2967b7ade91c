using System.ComponentModel.DataAnnotations;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Lifecycle;

namespace Perch.Configuration;

/// <summary>The keys of the <c>Perch</c> section, besides <c>Endpoints</c>.</summary>
internal sealed class PerchSettings
{
    /// <summary>The address that endpoints bind by default. Default 127.0.0.1.</summary>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>The implementation that serves TCP and Unix-socket connections. Default <c>Direct</c>.</summary>
    public SocketEngine SocketEngine { get; set; } = SocketEngine.Direct;

    /// <summary>
    /// Number of event loops of the direct transport; 0, the default, is one per processor. A change applies at the next start.
    /// </summary>
    [Range(0, 1024)]
    public int Loops { get; set; }

    /// <summary>Most connections over all endpoints. Default: what the limit of open files leaves.</summary>
    [Range(1, 10_000_000)]
    public int MaxConnections { get; set; } = Math.Max(DescriptorPlan.OfProcess.Connections, 1);

    /// <summary>Maximum memory that peers may occupy, in bytes. Default: half of the memory that the garbage collector may use.</summary>
    [Range(MemoryPlan.Least, MemoryPlan.Largest)]
    public long? MemoryBudget { get; set; }

    public DefaultSettings Defaults { get; set; } = new();

    public ShutdownOptions Shutdown { get; set; } = new();
}

/// <summary>What every endpoint inherits.</summary>
internal sealed class DefaultSettings
{
    public GuardOptions Guards { get; set; } = new();
}

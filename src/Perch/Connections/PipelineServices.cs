using Microsoft.Extensions.Logging;
using Perch.Datagrams;
using Perch.Diagnostics;

namespace Perch.Connections;

/// <summary>What every endpoint's pipeline shares.</summary>
internal sealed class PipelineServices(
    ConnectionRegistry registry, PerchMetrics metrics, TimeProvider time, ILoggerFactory loggers)
{
    public ConnectionRegistry Registry { get; } = registry;

    public PerchMetrics Metrics { get; } = metrics;

    public TimeProvider Time { get; } = time;

    public ILogger Logger { get; } = loggers.CreateLogger("Perch.Connections");

    public ILogger DatagramLogger { get; } = loggers.CreateLogger("Perch.Datagrams");

    public SourcePorts SourcePorts { get; } = new();
}

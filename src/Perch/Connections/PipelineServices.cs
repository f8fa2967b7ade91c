using Microsoft.Extensions.Logging;
using Perch.Datagrams;
using Perch.Diagnostics;
using Perch.Transport.Timers;

namespace Perch.Connections;

/// <summary>What every endpoint's pipeline shares.</summary>
internal sealed class PipelineServices(
    ConnectionRegistry registry, PerchMetrics metrics, DescriptorBudget descriptors, TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    public ConnectionRegistry Registry { get; } = registry;

    public PerchMetrics Metrics { get; } = metrics;

    public DescriptorBudget Descriptors { get; } = descriptors;

    public TimeProvider Time { get; } = time;

    public ILogger Logger { get; } = loggers.CreateLogger("Perch.Connections");

    public ILogger DatagramLogger { get; } = loggers.CreateLogger("Perch.Datagrams");

    public SourcePorts SourcePorts { get; } = new();

    /// <summary>Timers of the connections whose transport has none.</summary>
    public SharedTimerWheel Timers { get; } = new(time, loggers.CreateLogger("Perch.Connections"));

    public void Dispose() => Timers.Dispose();
}

using Serilog.Sinks.Async;

namespace Perch.Server.Logging;

/// <summary>What the buffer between the program and the console had to drop, for a metric.</summary>
internal sealed class LogBuffer : IAsyncLogEventSinkMonitor
{
    private IAsyncLogEventSinkInspector? _inspector;

    public long Dropped => _inspector?.DroppedMessagesCount ?? 0;

    public void StartMonitoring(IAsyncLogEventSinkInspector inspector) => _inspector = inspector;

    // The count stays readable: the last scrape may come after the logger is closed.
    public void StopMonitoring(IAsyncLogEventSinkInspector inspector)
    {
    }
}

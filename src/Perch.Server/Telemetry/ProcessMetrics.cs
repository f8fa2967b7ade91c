using System.Diagnostics;
using System.Diagnostics.Metrics;
using Perch.Diagnostics;
using Perch.Server.Logging;

namespace Perch.Server.Telemetry;

/// <summary>
/// Metrics of the process that the meter System.Runtime lacks: descriptors, threads, start time; and gauges of the thread pool,
/// which System.Runtime reports as counters.
/// </summary>
internal sealed class ProcessMetrics
{
    public const string MeterName = "Perch.Process";

    // The names come out as Prometheus's own client libraries have them (process_open_fds, process_start_time_seconds), so
    // that common dashboards and alerts find them; OpenTelemetry's process.*.count would fail promtool's check.
    public ProcessMetrics(IMeterFactory factory, LogBuffer? logBuffer = null, SinkFailures? sinkFailures = null)
    {
        var meter = factory.Create(MeterName);
        var startTime = StartTime();
        meter.CreateObservableGauge("process.start_time", () => startTime, "s", "Start time of the process since the Unix epoch.");
        if (logBuffer is not null)
        {
            meter.CreateObservableCounter("perch.log.dropped", () => logBuffer.Dropped, "{line}",
                "Log lines that the console was too slow to take.");
        }
        if (sinkFailures is not null)
        {
            meter.CreateObservableCounter("perch.log.failures", () => sinkFailures.Count, "{failure}",
                "Failures of the log's sinks, such as a file on a full disk.");
        }

        meter.CreateObservableGauge("dotnet.thread_pool.threads", () => ThreadPool.ThreadCount, "{thread}", "Number of thread pool threads.");
        meter.CreateObservableGauge("dotnet.thread_pool.queue.length", () => ThreadPool.PendingWorkItemCount, "{work_item}",
            "Number of work items that wait for a thread pool thread.");
        if (!OperatingSystem.IsLinux())
            return;


        meter.CreateObservableUpDownCounter("process.open_fds", () => Measured(FileDescriptors.Open()), "{descriptor}", "Number of open file descriptors.");
        meter.CreateObservableGauge("process.max_fds", () => Measured(FileDescriptors.Limit()), "{descriptor}",
            "Maximum number of open file descriptors.");
        meter.CreateObservableUpDownCounter("process.threads", () => Measured(ProcFile.Field("/proc/self/status", "Threads:")), "{thread}",
            "Number of operating system threads in the process.");
    }

    private static double StartTime()
    {
        using var process = Process.GetCurrentProcess();
        return new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0;
    }

    private static Measurement<long>[] Measured(long? value) => value is { } known ? [new(known)] : [];
}

using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Enumeration;

namespace Perch.Server.Telemetry;

/// <summary>
/// What the meter System.Runtime does not tell about the process: descriptors, threads, start time. Memory and CPU are
/// there (<c>dotnet.process.memory.working_set</c>, <c>dotnet.process.cpu.time</c>).
/// </summary>
internal sealed class ProcessMetrics
{
    public const string MeterName = "Perch.Process";

    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = FileAttributes.None };

    // The names come out as Prometheus's own client libraries have them (process_open_fds, process_start_time_seconds), so
    // that common dashboards and alerts find them; OpenTelemetry's process.*.count would fail promtool's check.
    public ProcessMetrics(IMeterFactory factory, LogBuffer? logBuffer = null)
    {
        var meter = factory.Create(MeterName);
        var startTime = StartTime();
        meter.CreateObservableGauge("process.start_time", () => startTime, "s", "Start time of the process since the Unix epoch.");
        if (logBuffer is not null)
        {
            meter.CreateObservableCounter("perch.log.dropped", () => logBuffer.Dropped, "{line}",
                "Log lines that the console was too slow to take.");
        }
        if (!OperatingSystem.IsLinux())
            return;

        meter.CreateObservableUpDownCounter("process.open_fds", OpenDescriptors, "{descriptor}", "Number of open file descriptors.");
        meter.CreateObservableGauge("process.max_fds", () => Measured(MaxDescriptors()), "{descriptor}",
            "Maximum number of open file descriptors.");
        meter.CreateObservableUpDownCounter("process.threads", () => Measured(Threads()), "{thread}",
            "Number of operating system threads in the process.");
    }

    /// <summary>Descriptors that are open now: Linux only, cheap enough for a readiness check.</summary>
    public static long OpenDescriptors() => DescriptorsFromSize() is > 0 and var count ? count : DescriptorsFromEntries();

    // Since Linux 6.2 the folder's size is the count. Enumerating is the only way to stat a folder from .NET, and the
    // enumeration holds a descriptor itself, here as below.
    internal static long DescriptorsFromSize()
    {
        var size = 0L;
        var entries = new FileSystemEnumerable<long>("/proc/self", static (ref FileSystemEntry entry) => entry.Length, Everything)
        {
            ShouldIncludePredicate = static (ref FileSystemEntry entry) => entry.FileName is "fd",
        };
        foreach (var length in entries)
            size = length;
        return size - 1;
    }

    // Some eight microseconds an entry, so with 10,000 connections a scrape would notice.
    internal static long DescriptorsFromEntries() =>
        new FileSystemEnumerable<bool>("/proc/self/fd", static (ref FileSystemEntry _) => true, Everything).LongCount() - 1;

    /// <summary>The soft limit of descriptors; null where it is unlimited.</summary>
    public static long? MaxDescriptors() => Field("/proc/self/limits", "Max open files");

    private static long? Threads() => Field("/proc/self/status", "Threads:");

    private static double StartTime()
    {
        using var process = Process.GetCurrentProcess();
        return new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0;
    }

    private static long? Field(string path, string label)
    {
        foreach (var line in File.ReadLines(path))
        {
            if (!line.StartsWith(label, StringComparison.Ordinal))
                continue;
            var rest = line.AsSpan(label.Length).TrimStart();
            var end = rest.IndexOfAny(' ', '\t');
            return long.TryParse(end < 0 ? rest : rest[..end], out var value) ? value : null;
        }
        return null;
    }

    private static Measurement<long>[] Measured(long? value) => value is { } known ? [new(known)] : [];
}

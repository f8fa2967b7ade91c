using System.Diagnostics.Metrics;
using System.Diagnostics.Tracing;
using System.Globalization;
using Perch.Datagrams;
using Perch.Wire;

namespace Perch.Server.Telemetry;

/// <summary>
/// Reports exports over OTLP that failed: a counter, and one warning per minute at most. The exporter reports a failure only as an
/// event of its <see cref="EventSource"/>, so the events of all hosts of the process are counted.
/// </summary>
internal sealed partial class ExportFailures : EventListener
{
    private const string SourceName = "OpenTelemetry-Exporter-OpenTelemetryProtocol";

    // TransientHttpError, OperationUnexpectedlyCanceled, RequestTimedOut, GrpcStatusWarning. All errors count as failures too.
    private static readonly int[] FailedWarnings = [16, 18, 19, 22];

    private readonly ILogger _logger;
    private readonly LogGate _gate;
    private long _count;

    public ExportFailures(IMeterFactory meters, TimeProvider time, ILoggerFactory loggers)
    {
        _gate = new(time, TimeSpan.FromMinutes(1));
        // Last: a source that another thread creates is enabled from here on.
        _logger = loggers.CreateLogger("Perch.Telemetry");
        meters.Create("Perch").CreateObservableCounter("perch.telemetry.export.failures", () => Interlocked.Read(ref _count), "{failure}",
            "Failures that the OTLP exporter has reported.");
        // The base constructor has passed over the sources, because the fields were not set yet.
        foreach (var source in EventSource.GetSources())
            OnEventSourceCreated(source);
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (_logger is not null && eventSource.Name == SourceName)
            EnableEvents(eventSource, EventLevel.Warning);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.Level == EventLevel.Warning && !FailedWarnings.Contains(eventData.EventId))
            return;
        Interlocked.Increment(ref _count);
        if (!_gate.TryPass(out var held))
            return;
        // The first line: the rest is the stack trace of an exception. The collector's answer may be part of the line.
        var reason = string.Format(CultureInfo.InvariantCulture, eventData.Message ?? "{0}", [.. eventData.Payload ?? []]).Split('\n')[0];
        Log.Failed(_logger, PeerText.Escape(reason), held);
    }

    private static partial class Log
    {
        [LoggerMessage(1040, LogLevel.Warning,
            "An export over OTLP failed: {Reason} ({Held} further failures since the last such line). Check OTEL_EXPORTER_OTLP_ENDPOINT and the collector",
            EventName = "TelemetryExportFailed")]
        public static partial void Failed(ILogger logger, string reason, long held);
    }
}

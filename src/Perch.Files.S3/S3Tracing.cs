using System.Diagnostics;
using Amazon.Runtime;
using Amazon.Runtime.Telemetry;
using Amazon.Runtime.Telemetry.Tracing;
using Perch.Diagnostics;

namespace Perch.Files.S3;

/// <summary>
/// Spans of the S3 client in the <see cref="ActivitySource"/> <c>Perch.S3</c>: one per request, as a child of the span that called it.
/// The SDK has no activity source of its own; without a tracer provider it creates no spans.
/// </summary>
/// <remarks>The SDK also has spans for its own steps (serialization, signing, one per attempt). They are left out.</remarks>
internal sealed class S3Tracing : TracerProvider
{
    /// <summary>Name of the activity source.</summary>
    public const string SourceName = "Perch.S3";

    private static readonly ActivitySource Source = new(SourceName);
    private static readonly S3Tracer Shared = new();

    private S3Tracing()
    {
    }

    /// <summary>Telemetry for the configuration of a client.</summary>
    public static TelemetryProvider Create()
    {
        var telemetry = new DefaultTelemetryProvider();
        telemetry.RegisterTracerProvider(new S3Tracing());
        return telemetry;
    }

    public override Tracer GetTracer(string scope) => Shared;

    private sealed class S3Tracer : Tracer
    {
        private static readonly S3Span None = new(null);

        public override TraceSpan CreateSpan(
            string name, Attributes? initialAttributes = null, SpanKind spanKind = SpanKind.INTERNAL, SpanContext? parentContext = null)
        {
            if (spanKind != SpanKind.CLIENT || Source.StartActivity(name, ActivityKind.Client) is not { } activity)
                return None;
            foreach (var (key, value) in initialAttributes?.AllAttributes ?? [])
                activity.SetTag(key, value);
            return new S3Span(activity);
        }
    }

    private sealed class S3Span(Activity? activity) : TraceSpan
    {
        public override void EmitEvent(string name, Attributes? attributes = null) => activity?.AddEvent(new(name));

        public override void SetAttribute(string key, object value) => activity?.SetTag(key, value);

        public override void SetStatus(SpanStatus status)
        {
            if (status == SpanStatus.ERROR)
                activity?.SetStatus(ActivityStatusCode.Error);
        }

        /// <remarks>The SDK sets no status when a request failed.</remarks>
        public override void RecordException(Exception exception, Attributes? attributes = null)
        {
            var error = (exception as AmazonServiceException)?.ErrorCode ?? exception.GetType().FullName;
            activity?.SetTag(PerchTracing.ErrorType, error).SetStatus(ActivityStatusCode.Error);
        }

        public override void End() => activity?.Dispose();

        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            End();
        }
    }
}

using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Perch.OtlpReceiver.Protocol;

namespace Perch.OtlpReceiver;

/// <summary>Decodes the three export requests of OTLP/HTTP.</summary>
internal static class OtlpDecoder
{
    /// <exception cref="InvalidProtocolBufferException">The body is not such a request.</exception>
    public static IEnumerable<Received> Traces(byte[] body) =>
        from resource in ExportTraceRequest.Parser.ParseFrom(body).ResourceSpans
        from scope in resource.ScopeSpans
        from span in scope.Spans
        select new Received
        {
            Signal = "span",
            Service = Service(resource.Resource),
            Scope = scope.Scope?.Name ?? "",
            Name = span.Name,
            Attributes = Attributes(span.Attributes),
            TraceId = Hex(span.TraceId),
            SpanId = Hex(span.SpanId),
            ParentSpanId = Hex(span.ParentSpanId),
            Kind = span.Kind,
            Status = span.Status?.Code ?? 0,
            Events = [.. span.Events.Select(e => e.Name)],
            Links = [.. span.Links.Select(link => Hex(link.SpanId))],
        };

    /// <inheritdoc cref="Traces"/>
    public static IEnumerable<Received> Metrics(byte[] body) =>
        from resource in ExportMetricsRequest.Parser.ParseFrom(body).ResourceMetrics
        from scope in resource.ScopeMetrics
        from metric in scope.Metrics
        from point in Points(metric)
        select new Received
        {
            Signal = "metric",
            Service = Service(resource.Resource),
            Scope = scope.Scope?.Name ?? "",
            Name = metric.Name,
            Attributes = Attributes(point.Attributes),
            Value = point.Value,
        };

    /// <inheritdoc cref="Traces"/>
    public static IEnumerable<Received> Logs(byte[] body) =>
        from resource in ExportLogsRequest.Parser.ParseFrom(body).ResourceLogs
        from scope in resource.ScopeLogs
        from log in scope.LogRecords
        select new Received
        {
            Signal = "log",
            Service = Service(resource.Resource),
            Scope = scope.Scope?.Name ?? "",
            Name = log.EventName,
            Attributes = Attributes(log.Attributes),
            TraceId = Hex(log.TraceId),
            SpanId = Hex(log.SpanId),
            Body = Text(log.Body),
            Severity = log.SeverityText,
        };

    private static IEnumerable<(double Value, RepeatedField<KeyValue> Attributes)> Points(Metric metric)
    {
        foreach (var point in (metric.Gauge ?? metric.Sum)?.DataPoints ?? [])
            yield return (point.ValueCase == NumberPoint.ValueOneofCase.AsInt ? point.AsInt : point.AsDouble, point.Attributes);
        foreach (var point in metric.Histogram?.DataPoints ?? [])
            yield return (point.Count, point.Attributes);
    }

    private static string Service(Resource? resource) =>
        resource?.Attributes.FirstOrDefault(attribute => attribute.Key == "service.name") is { } name ? Text(name.Value) : "";

    private static Dictionary<string, string> Attributes(RepeatedField<KeyValue> attributes)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        // Attribute keys are unique in OTLP; a repeated key would be a fault of the sender and fails the request.
        foreach (var attribute in attributes)
            texts.Add(attribute.Key, Text(attribute.Value));
        return texts;
    }

    private static string Text(AnyValue? value) => value?.ValueCase switch
    {
        AnyValue.ValueOneofCase.StringValue => value.StringValue,
        AnyValue.ValueOneofCase.BoolValue => value.BoolValue ? "true" : "false",
        AnyValue.ValueOneofCase.IntValue => value.IntValue.ToString(CultureInfo.InvariantCulture),
        AnyValue.ValueOneofCase.DoubleValue => value.DoubleValue.ToString(CultureInfo.InvariantCulture),
        _ => "",
    };

    private static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}

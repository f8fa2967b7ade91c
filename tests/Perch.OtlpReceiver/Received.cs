namespace Perch.OtlpReceiver;

/// <summary>One span, data point or log record, as the receiver writes it: a line of JSON.</summary>
public sealed record Received
{
    /// <summary><c>span</c>, <c>metric</c> or <c>log</c>.</summary>
    public required string Signal { get; init; }

    /// <summary>The resource's <c>service.name</c>.</summary>
    public required string Service { get; init; }

    /// <summary>The instrumentation scope: an activity source, a meter or a log category.</summary>
    public required string Scope { get; init; }

    /// <summary>The name of the span or metric, or the event name of the log record.</summary>
    public required string Name { get; init; }

    /// <summary>Attribute values as text.</summary>
    public required IReadOnlyDictionary<string, string> Attributes { get; init; }

    /// <summary>Hexadecimal; empty without a trace.</summary>
    public string TraceId { get; init; } = "";

    /// <summary>Hexadecimal; empty without a span.</summary>
    public string SpanId { get; init; } = "";

    /// <summary>Hexadecimal; empty for a root span.</summary>
    public string ParentSpanId { get; init; } = "";

    /// <summary>The span's kind: 1 internal, 2 server, 3 client.</summary>
    public int Kind { get; init; }

    /// <summary>The span's status: 0 unset, 1 ok, 2 error.</summary>
    public int Status { get; init; }

    /// <summary>Names of the span's events, in order.</summary>
    public IReadOnlyList<string> Events { get; init; } = [];

    /// <summary>Span ids of the span's links.</summary>
    public IReadOnlyList<string> Links { get; init; } = [];

    /// <summary>The data point's value; the count of a histogram.</summary>
    public double Value { get; init; }

    /// <summary>The log record's text.</summary>
    public string Body { get; init; } = "";

    /// <summary>The log record's severity.</summary>
    public string Severity { get; init; } = "";
}

using System.Diagnostics;
using System.Net;
using Perch.Connections;

namespace Perch.Diagnostics;

/// <summary>
/// The spans of the <see cref="ActivitySource"/> <c>Perch</c>: one for each connection and each datagram session, and those that
/// protocols start here. Without a listener nothing is created and nothing is allocated.
/// </summary>
/// <remarks>Names follow OpenTelemetry's semantic conventions, https://opentelemetry.io/docs/specs/semconv/general/attributes/.</remarks>
public static class PerchTracing
{
    /// <summary>Name of the activity source, for <c>AddSource</c> of OpenTelemetry.</summary>
    public const string SourceName = "Perch";

    /// <summary>Maximum number of links of a span.</summary>
    public const int MaxLinks = 128;

    /// <summary>Maximum number of <c>store</c> events of a connection; a connection may store for days.</summary>
    public const int MaxStoreEvents = 128;

    /// <summary>Attribute that names the error of a failed span.</summary>
    public const string ErrorType = "error.type";

    private static readonly ActivitySource Source = new(SourceName);
    private static readonly string[] OutcomeNames = Enum.GetNames<ConnectionOutcome>();

    /// <summary>True if a listener exists. A hot path checks this before it prepares anything for a span.</summary>
    public static bool IsEnabled => Source.HasListeners();

    /// <summary>
    /// Span of the connection or session that the running code serves; null without a listener, or if the span was not sampled.
    /// </summary>
    public static Activity? ConnectionSpan => IsEnabled ? (PerchConnection.Current as ConnectionState)?.Span : null;

    /// <summary>
    /// Starts an internal span without a parent that links to the spans of connections, such as one commit for many connections. It
    /// becomes <see cref="Activity.Current"/>: call it in an async method that ends with the span.
    /// </summary>
    /// <param name="name">Name of the operation, from a fixed list.</param>
    /// <param name="connections">Spans of the connections. Nulls are skipped; <see cref="MaxLinks"/> are linked at most, each once.</param>
    /// <returns>The span; null without a listener, or if the span was not sampled.</returns>
    public static Activity? StartLinked(string name, IEnumerable<Activity?> connections)
    {
        if (!IsEnabled)
            return null;
        var links = connections.OfType<Activity>().Distinct().Take(MaxLinks).Select(span => new ActivityLink(span.Context)).ToList();
        Activity.Current = null;
        return Source.StartActivity(ActivityKind.Internal, default, null, links, default, name);
    }

    /// <summary>Adds the event <c>store</c> to the span of the connection: what the peer sent is durable now.</summary>
    /// <param name="attribute">Name of the attribute with the amount, such as <c>perch.records</c>.</param>
    /// <param name="amount">Number of records or bytes.</param>
    public static void MarkStored(string attribute, long amount)
    {
        if (!IsEnabled || PerchConnection.Current is not ConnectionState { Span: { IsAllDataRequested: true } span } state)
            return;
        if (state.StoreEvents >= MaxStoreEvents)
            return;
        state.StoreEvents++;
        span.AddEvent(new("store", tags: new() { { attribute, amount } }));
    }

    /// <summary>
    /// Starts the root span of a connection or session; it becomes <see cref="Activity.Current"/> of the calling async method.
    /// </summary>
    internal static void StartConnection(ConnectionState state, bool isStream)
    {
        // The accept loop or the socket layer may have a span of its own; a connection is the root of its trace.
        Activity.Current = null;
        var remote = state.Connection.RemoteEndPoint as IPEndPoint;
        var tags = new List<KeyValuePair<string, object?>>(6)
        {
            new("perch.endpoint", state.Traffic.Endpoint),
            new("perch.protocol", state.Traffic.Protocol),
            new("network.transport", !isStream ? "udp" : remote is null ? "unix" : "tcp"),
        };
        if (remote is not null)
        {
            var address = remote.Address.IsIPv4MappedToIPv6 ? remote.Address.MapToIPv4() : remote.Address;
            tags.Add(new("client.address", address.ToString()));
            tags.Add(new("client.port", remote.Port));
        }

        if (state.Connection.LocalEndPoint is IPEndPoint local)
            tags.Add(new("server.port", local.Port));
        if (Source.StartActivity(ActivityKind.Server, default, tags, null, default, state.Traffic.Protocol) is { } span)
            state.Span = span;
    }

    /// <summary>Ends the span of a connection. A fault is an outcome whose log line is a warning or an error.</summary>
    internal static void EndConnection(Activity span, EndedConnection ended, bool isFault)
    {
        if (span.IsAllDataRequested)
        {
            var outcome = OutcomeNames[(int)ended.Outcome];
            span.SetTag("perch.outcome", outcome);
            span.SetTag("perch.bytes.received", ended.BytesReceived);
            span.SetTag("perch.bytes.sent", ended.BytesSent);
            span.SetTag("perch.messages", ended.Messages);
            if (isFault)
                span.SetTag(ErrorType, outcome).SetStatus(ActivityStatusCode.Error);
        }

        span.Stop();
    }
}

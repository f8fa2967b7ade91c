using System.Diagnostics;
using System.Diagnostics.Metrics;
using Perch.Connections;
using Perch.Datagrams;

namespace Perch.Diagnostics;

/// <summary>
/// The instruments of the meter <c>Perch</c>. What can be counted on the connection itself is observed at the scrape,
/// so that a message costs no instrument; only durations are recorded as they happen.
/// </summary>
internal sealed class PerchMetrics : IDisposable
{
    public const string MeterName = "Perch";

    private static readonly string[] OutcomeNames = Enum.GetNames<ConnectionOutcome>();

    private readonly Meter _meter;
    private readonly ConnectionRegistry _registry;
    private readonly Histogram<double> _connectionDuration;

    public PerchMetrics(IMeterFactory meters, ConnectionRegistry registry)
    {
        _registry = registry;
        _meter = meters.Create(MeterName);
        _connectionDuration = _meter.CreateHistogram<double>("perch.connection.duration", "s", "From accept to close.");
        MessageDuration = _meter.CreateHistogram<double>("perch.message.duration", "s", "From a complete message to its handler's return.");
        _meter.CreateObservableUpDownCounter("perch.connections.active", () => Observe(t => t.Active), "{connection}", "Connections that are open now.");
        _meter.CreateObservableCounter("perch.connections.accepted", () => Observe(t => t.Accepted), "{connection}", "Connections accepted, the rejected ones too.");
        _meter.CreateObservableCounter("perch.connections.ended", ObserveEnded, "{connection}", "Connections that ended, by outcome.");
        _meter.CreateObservableCounter("perch.bytes.received", () => Observe(t => t.Received), "By", "Bytes that handlers were given.");
        _meter.CreateObservableCounter("perch.bytes.sent", () => Observe(t => t.Sent), "By", "Bytes that handlers wrote; over the direct transport, that the system has taken.");
        _meter.CreateObservableCounter("perch.datagrams.received", () => ObserveDatagrams(d => d.Received), "{datagram}", "Datagrams received, those that are dropped then too.");
        _meter.CreateObservableCounter("perch.datagrams.sent", () => ObserveDatagrams(d => d.Sent), "{datagram}", "Datagrams sent.");
        _meter.CreateObservableCounter("perch.datagrams.dropped", ObserveDropped, "{datagram}", "Datagrams that were not handled, and replies that were not sent, by reason.");
        _meter.CreateObservableCounter("perch.loop.held", ObserveLoopHolds, "{hold}", "Times a handler kept a loop of the direct transport, and every connection on it, for more than 100 ms.");
        _meter.CreateObservableCounter("perch.messages", () => Observe(t => t.Messages), "{message}", "Messages handled.");
    }

    /// <summary>Recorded by the handler shapes that know messages.</summary>
    public Histogram<double> MessageDuration { get; }

    public void ObserveEndpointStates(Func<IEnumerable<Measurement<int>>> states) =>
        _meter.CreateObservableGauge("perch.endpoint.state", states, "{endpoint}", "1 for the state that the endpoint is in.");

    public void ObserveConfigurationFaults(Func<int> faults) =>
        _meter.CreateObservableGauge("perch.configuration.faults", faults, "{fault}", "Faults of the configuration as it stands in the files; the running one stays until they are mended.");

    public void ObserveDescriptorRefusals(Func<DescriptorHolder, long> refused) => _meter.CreateObservableCounter(
        "perch.descriptors.refused",
        () => Enum.GetValues<DescriptorHolder>().Select(holder => new Measurement<long>(refused(holder), new KeyValuePair<string, object?>("reason", NameOf(holder)))),
        "{refusal}",
        "Descriptors that were refused since too few were left, by the cause that needed them; a connection asks again every 10 ms.");

    public void ObserveMemory(MemoryBudget budget)
    {
        _meter.CreateObservableGauge("perch.memory.budget", () => budget.Plan.Budget, "By", "Most memory that peers may occupy.");
        _meter.CreateObservableUpDownCounter("perch.memory.used", () => budget.Used, "By", "Memory that peers occupy: received and not handled, written and not sent, records before the store, datagrams in hand.");
        _meter.CreateObservableUpDownCounter("perch.memory.paused", () => budget.Paused, "{connection}", "Connections that do not receive since they occupy too much memory.");
        _meter.CreateObservableCounter("perch.memory.refused", () => budget.Refused, "{refusal}", "Accepts that were refused since peers occupied too much memory; a listener asks again every 10 ms.");
        _meter.CreateObservableCounter("perch.memory.ended", () => budget.Ended, "{connection}", "Connections that were ended since they occupied too much memory.");
    }

    public void ConnectionEnded(EndedConnection ended) => _connectionDuration.Record(ended.Duration.TotalSeconds,
        new TagList { { "endpoint", ended.Endpoint }, { "protocol", ended.Protocol }, { "outcome", OutcomeNames[(int)ended.Outcome] } });

    public void Dispose() => _meter.Dispose();

    private static string NameOf(DescriptorHolder holder) => holder switch
    {
        DescriptorHolder.Connection => "connection",
        DescriptorHolder.Transfer => "transfer",
        _ => "session",
    };

    private List<Measurement<long>> Observe(Func<TrafficTotals, long> value) =>
        [.. _registry.Traffic.Select(t => new Measurement<long>(value(t.Totals()), new("endpoint", t.Endpoint), new("protocol", t.Protocol)))];

    private List<Measurement<long>> ObserveLoopHolds() =>
        [.. _registry.Traffic.Select(t => new Measurement<long>(t.LoopHolds, new("endpoint", t.Endpoint), new("protocol", t.Protocol)))];

    private List<Measurement<long>> ObserveDatagrams(Func<DatagramTraffic, long> value) =>
        [.. _registry.Traffic.Where(t => t.DatagramTotals is not null)
            .Select(t => new Measurement<long>(value(t.DatagramTotals!), new("endpoint", t.Endpoint), new("protocol", t.Protocol)))];

    private IEnumerable<Measurement<long>> ObserveDropped() =>
        from traffic in _registry.Traffic
        let datagrams = traffic.DatagramTotals
        where datagrams is not null
        from reason in Enum.GetValues<DropReason>()
        select new Measurement<long>(datagrams.Dropped(reason),
            new("endpoint", traffic.Endpoint), new("protocol", traffic.Protocol), new("reason", DatagramTraffic.ReasonNames[(int)reason]));

    private IEnumerable<Measurement<long>> ObserveEnded()
    {
        foreach (var traffic in _registry.Traffic)
        {
            var ended = traffic.Totals().Ended;
            // From zero on: rate() does not see the first of a series that begins with it.
            for (var i = 0; i < ended.Length; i++)
                yield return new(ended[i], new("endpoint", traffic.Endpoint), new("protocol", traffic.Protocol), new("outcome", OutcomeNames[i]));
        }
    }
}

using System.Diagnostics.Metrics;
using Perch.Datagrams;
using Perch.Diagnostics;

namespace Perch.Connections;

/// <summary>
/// What one endpoint has carried since the process started, and its live connections. A connection's counters are
/// added to the totals in the same step that takes it out of the live set, so that a sum over both never goes back.
/// </summary>
internal sealed class EndpointTraffic(string endpoint, string protocol)
{
    private readonly Lock _lock = new();
    private readonly LiveConnections _live = new();
    private readonly long[] _ended = new long[Enum.GetValues<ConnectionOutcome>().Length];
    private long _accepted;
    private long _received;
    private long _sent;
    private long _messages;
    private long _loopHolds;
    private int _admitted;

    public string Endpoint { get; } = endpoint;

    public string Protocol { get; } = protocol;

    /// <summary>Times the messages of its connections; none until <see cref="MeterBy"/>.</summary>
    public MessageMeter Meter { get; private set; } = MessageMeter.None;

    /// <summary>What UDP has carried; null where there was none.</summary>
    public DatagramTraffic? DatagramTotals { get; private set; }

    /// <summary>How often a handler has held a loop of the direct transport.</summary>
    public long LoopHolds => Interlocked.Read(ref _loopHolds);

    /// <summary>Called when the endpoint is one of UDP.</summary>
    public DatagramTraffic Datagrams()
    {
        lock (_lock) return DatagramTotals ??= new();
    }

    public void MeterBy(Histogram<double> duration) => Meter = new(duration, Endpoint, Protocol);

    public void Add(ConnectionState connection)
    {
        lock (_lock)
        {
            _accepted++;
            _live.Add(connection);
        }
    }

    /// <returns>Whether this call ended it; a second one changes nothing.</returns>
    public bool Remove(ConnectionState connection, ConnectionOutcome outcome)
    {
        lock (_lock)
        {
            if (!_live.Remove(connection)) return false;
            _ended[(int)outcome]++;
            _received += connection.BytesReceived;
            _sent += connection.BytesSent;
            _messages += connection.Messages;
            return true;
        }
    }

    public void CountLoopHold() => Interlocked.Increment(ref _loopHolds);

    public ConnectionState[] Live()
    {
        lock (_lock) return _live.All().ToArray();
    }

    /// <inheritdoc cref="ConnectionRegistry.Tick"/>
    public void Tick(Action<ConnectionState, Exception> threw)
    {
        var live = _live.Glance();
        // From the end, which is where the one comes from that takes the place of one that is cut.
        for (var i = live.Length - 1; i >= 0; i--)
        {
            if (live[i] is not { } connection) continue;
            connection.Timeouts?.Check(connection);
            try
            {
                connection.Heartbeat();
            }
            catch (Exception exception)
            {
                threw(connection, exception);
            }
        }
    }

    public TrafficTotals Totals()
    {
        lock (_lock)
        {
            var totals = new TrafficTotals(_live.Count, _accepted, _received, _sent, _messages, [.. _ended]);
            if (DatagramTotals is { } datagrams)
            {
                totals = totals with
                {
                    Received = totals.Received + datagrams.ReceivedBytes,
                    Sent = totals.Sent + datagrams.SentBytes,
                    Messages = totals.Messages + datagrams.Messages,
                };
            }

            foreach (var connection in _live.All())
            {
                totals = totals with
                {
                    Received = totals.Received + connection.BytesReceived,
                    Sent = totals.Sent + connection.BytesSent,
                    Messages = totals.Messages + connection.Messages,
                };
            }

            return totals;
        }
    }

    public bool TryAdmit(int cap) => Slots.TryTake(ref _admitted, cap);

    public void Release() => Interlocked.Decrement(ref _admitted);
}

/// <summary>A consistent reading of one endpoint's counters; <c>Ended</c> is indexed by outcome.</summary>
internal readonly record struct TrafficTotals(
    int Active, long Accepted, long Received, long Sent, long Messages, long[] Ended);

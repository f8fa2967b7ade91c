using System.Collections.Concurrent;

namespace Perch.Connections;

/// <summary>Every live connection, the last <see cref="RecentCapacity"/> ends, and the totals of every endpoint.</summary>
internal sealed class ConnectionRegistry(TimeProvider time)
{
    public const int RecentCapacity = 1000;

    private readonly ConcurrentDictionary<(string Endpoint, string Protocol), EndpointTraffic> _traffic = new();
    private readonly Lock _recentLock = new();
    private readonly Queue<EndedConnection> _recent = new(RecentCapacity);
    private int _admitted;

    /// <summary>One entry for each endpoint and protocol ever configured: bounded by the configuration, not by peers.</summary>
    public IEnumerable<EndpointTraffic> Traffic => _traffic.Values;

    public EndpointTraffic TrafficOf(string endpoint, string protocol) =>
        _traffic.GetOrAdd((endpoint, protocol), static key => new EndpointTraffic(key.Endpoint, key.Protocol));

    public IEnumerable<ConnectionState> Live() => _traffic.Values.SelectMany(traffic => traffic.Live());

    /// <summary>A second is over: ends the connections that have stood still for too long, and has the others' heartbeats. On one thread at a time.</summary>
    /// <param name="threw">Called when a heartbeat threw.</param>
    public void Tick(Action<ConnectionState, Exception> threw)
    {
        foreach (var (_, traffic) in _traffic) traffic.Tick(threw);
    }

    /// <summary>The last ends, newest first.</summary>
    public EndedConnection[] Recent()
    {
        lock (_recentLock) return [.. _recent.Reverse()];
    }

    /// <summary>Takes the connection out and remembers how it ended.</summary>
    /// <returns>The end, or null where it had ended already.</returns>
    public EndedConnection? End(ConnectionState connection, ConnectionOutcome outcome)
    {
        if (!connection.Traffic.Remove(connection, outcome)) return null;
        var ended = new EndedConnection(
            connection.Id, connection.Traffic.Endpoint, connection.Traffic.Protocol, connection.Peer, connection.StartedAt,
            time.GetElapsedTime(connection.StartTimestamp), connection.BytesReceived, connection.BytesSent,
            connection.Messages, outcome)
        { RejectedBy = connection.RejectedBy };
        lock (_recentLock)
        {
            if (_recent.Count == RecentCapacity) _recent.Dequeue();
            _recent.Enqueue(ended);
        }

        return ended;
    }

    public bool TryAdmit(int cap) => Slots.TryTake(ref _admitted, cap);

    public void Release() => Interlocked.Decrement(ref _admitted);
}

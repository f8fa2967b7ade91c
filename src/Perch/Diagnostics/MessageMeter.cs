using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;

namespace Perch.Diagnostics;

/// <summary>Times the messages of one endpoint, for all its connections; costs nothing while nobody listens to the histogram.</summary>
internal sealed class MessageMeter(Histogram<double>? duration, string endpoint, string protocol)
{
    /// <summary>Outside the host, and for UDP, whose messages are timed by their endpoint.</summary>
    public static readonly MessageMeter None = new(null, "", "");

    private readonly Histogram<double>? _duration = duration;
    private readonly KeyValuePair<string, object?> _endpoint = new("endpoint", endpoint);
    private readonly KeyValuePair<string, object?> _protocol = new("protocol", protocol);

    /// <returns>The meter of the connection's endpoint; outside the host one that does nothing.</returns>
    public static MessageMeter Of(ConnectionContext connection) => ConnectionState.Of(connection)?.Traffic.Meter ?? None;

    public long Start() => _duration is { Enabled: true } ? Stopwatch.GetTimestamp() : 0;

    /// <returns>The time now: the start of the next message of the same burst.</returns>
    public long Stop(long start)
    {
        if (start == 0) return 0;
        var now = Stopwatch.GetTimestamp();
        _duration!.Record((now - start) / (double)Stopwatch.Frequency, _endpoint, _protocol);
        return now;
    }
}

using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;

namespace Perch.Diagnostics;

/// <summary>Times the messages of one connection; costs nothing while nobody listens to the histogram.</summary>
internal readonly struct MessageMeter
{
    private readonly Histogram<double>? _duration;
    private readonly KeyValuePair<string, object?> _endpoint;
    private readonly KeyValuePair<string, object?> _protocol;

    public MessageMeter(ConnectionContext connection)
    {
        if (connection.Features.Get<IPerchConnectionFeature>() is not { } feature) return;
        _duration = connection.Features.Get<PerchMetrics>()?.MessageDuration;
        _endpoint = new("endpoint", feature.Endpoint);
        _protocol = new("protocol", feature.Protocol);
    }

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

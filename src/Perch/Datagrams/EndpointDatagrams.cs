using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Endpoints;

namespace Perch.Datagrams;

/// <summary>What one version of a UDP endpoint's settings makes of datagrams: the handler, and the limits around it.</summary>
internal sealed class EndpointDatagrams
{
    private readonly Histogram<double> _duration;
    private readonly KeyValuePair<string, object?> _endpoint;
    private readonly KeyValuePair<string, object?> _protocol;

    public EndpointDatagrams(EndpointConfig config, EndpointPipeline owner, object handler, PipelineServices services)
    {
        Owner = owner;
        Handler = handler as DatagramHandler ?? new MessageDatagrams((IMessageDatagrams)handler);
        (Guards, MaxBytes, Answers) = (config.Guards, Math.Min(Handler.MaxDatagramBytes, DatagramContext.BufferBytes), Handler.Answers);
        Sessions = ConnectionPipeline.BuildSessions(config, services);
        Traffic = services.Registry.TrafficOf(config.Name, config.Protocol.Name).Datagrams();
        _duration = services.Metrics.MessageDuration;
        (_endpoint, _protocol) = (new("endpoint", config.Name), new("protocol", config.Protocol.Name));
    }

    /// <summary>Holds the handler's services while anybody is in it.</summary>
    public EndpointPipeline Owner { get; }

    public DatagramHandler Handler { get; }

    public GuardOptions Guards { get; }

    public DatagramTraffic Traffic { get; }

    /// <summary>What a session runs in.</summary>
    public ConnectionDelegate Sessions { get; }

    /// <summary>The longest datagram that is handled.</summary>
    public int MaxBytes { get; }

    /// <inheritdoc cref="DatagramHandler.Answers"/>
    public bool Answers { get; }

    /// <returns>The start of the first message; 0 where nobody listens.</returns>
    public long StartTiming() => _duration.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <returns>The start of the next message.</returns>
    public long StopTiming(long start)
    {
        if (start == 0) return 0;
        var now = Stopwatch.GetTimestamp();
        _duration.Record((now - start) / (double)Stopwatch.Frequency, _endpoint, _protocol);
        return now;
    }
}

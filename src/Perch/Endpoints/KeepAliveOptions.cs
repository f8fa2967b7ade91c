using System.ComponentModel.DataAnnotations;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>
/// TCP keep-alive of an endpoint's connections (tcp(7)): the kernel probes a silent peer, and ends the connection as <c>PeerReset</c> if
/// no probe is answered. Without it a peer that vanished keeps its connection until something is sent. Times are whole seconds.
/// </summary>
public sealed record KeepAliveOptions : IValidatableObject
{
    /// <summary>The silence before the first probe, up to 32,767 seconds. Default 1 minute; 0 turns keep-alive off.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "09:06:07")]
    public TimeSpan Time { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The time between two probes, 1 to 32,767 seconds. Default 10 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "09:06:07")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Number of probes without an answer that end the connection. Default 6.</summary>
    [Range(1, 127)]
    public int Probes { get; set; } = 6;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, value) in ((string, TimeSpan)[])[(nameof(Time), Time), (nameof(Interval), Interval)])
        {
            if (value.Ticks % TimeSpan.TicksPerSecond != 0)
                yield return new($"{value} is not a number of whole seconds", [name]);
        }
    }

    /// <summary>The options of the transport; null if keep-alive is off.</summary>
    internal KeepAlive? ForTransport() => Time == TimeSpan.Zero ? null : new() { Time = Time, Interval = Interval, Count = Probes };
}

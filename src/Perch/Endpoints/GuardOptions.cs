using System.ComponentModel.DataAnnotations;

namespace Perch.Endpoints;

/// <summary>
/// The limits of an endpoint: <c>Perch:Defaults:Guards</c>, overridden key by key by the endpoint's own <c>Guards</c>.
/// A time of <c>00:00:00</c> turns its limit off, and lets a peer that is silent, or never reads, hold a descriptor for as long as it likes.
/// </summary>
public sealed record GuardOptions
{
    /// <summary>Most connections that are served at once; the next one is closed as it arrives. Default 10,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>How long a peer may take to send its first byte, where it speaks first. Default 1 minute.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "24.00:00:00")]
    public TimeSpan FirstByteTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long nothing may go either way while the handler waits for the peer. Default 10 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "24.00:00:00")]
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long one flush may wait for the peer to read. Default 1 minute.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "24.00:00:00")]
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>TCP: probes of a peer that is silent. On by default; see <see cref="KeepAliveOptions"/>.</summary>
    public KeepAliveOptions KeepAlive { get; set; } = new();

    /// <summary>UDP: most datagrams whose handler is not done; those that come then are dropped. Each takes 64 KiB. Default 1,024.</summary>
    [Range(1, 100_000)]
    public int MaxDatagramsInHand { get; set; } = 1024;

    /// <summary>
    /// UDP: most replies a second to one source, an IPv4 address or the /64 of an IPv6 one; a second's worth may come at once.
    /// Default 1,000; 0 turns it off, and lets a loop between two servers go on for ever.
    /// </summary>
    [Range(0, 100_000_000)]
    public int RepliesPerSecond { get; set; } = 1000;
}

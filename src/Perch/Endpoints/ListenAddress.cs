using System.Net;
using Perch.Datagrams;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>The properties of a socket. A change of one of them, and of no other property, binds another socket.</summary>
/// <param name="Address">The IP address, or null where <paramref name="UnixSocket"/> is set.</param>
/// <param name="Port">The TCP or UDP port; 0 lets the system choose.</param>
/// <param name="UnixSocket">The absolute path of a Unix socket, or null.</param>
/// <param name="Backlog">How many connections the system holds that were not accepted yet.</param>
internal sealed record ListenAddress(IPAddress? Address, int Port, string? UnixSocket, int Backlog)
{
    public EndpointTransport Transport { get; init; }

    /// <summary>The implementation that serves the connections; unused by UDP.</summary>
    public SocketEngine SocketEngine { get; init; }

    /// <summary>The thread on which handlers of the direct transport continue; the default with other engines.</summary>
    public ContinuationScheduling Scheduling { get; init; }

    /// <summary>TCP: other processes of the same user may bind the port too.</summary>
    public bool ReusePort { get; init; }

    /// <summary>Unix sockets: the access rights of the file; null for those of the umask.</summary>
    public UnixFileMode? Mode { get; init; }

    /// <summary>UDP: what the receive buffer is asked to hold, or null.</summary>
    public int? ReceiveBufferBytes { get; init; }

    /// <summary>UDP: the groups that are joined, in the order of the configuration.</summary>
    public MulticastGroups MulticastGroups { get; init; } = new([]);

    public EndPoint EndPoint => UnixSocket is null
        ? new IPEndPoint(Address!, Port)
        : new System.Net.Sockets.UnixDomainSocketEndPoint(UnixSocket);

    /// <summary>Whether the two addresses cannot be bound at once. Port 0 overlaps with no port.</summary>
    public bool Overlaps(ListenAddress other)
    {
        if (UnixSocket is not null || other.UnixSocket is not null)
            return UnixSocket == other.UnixSocket;
        return Port != 0 && Port == other.Port && Transport == other.Transport
            && (Address!.Equals(other.Address) || Covers(Address, other.Address!) || Covers(other.Address!, Address));
    }

    public override string ToString() => UnixSocket is null
        ? $"{(Transport == EndpointTransport.Udp ? "udp" : "tcp")} {new IPEndPoint(Address!, Port)}"
        : $"unix {UnixSocket}";

    /// <remarks><c>::</c> is bound for both families.</remarks>
    private static bool Covers(IPAddress any, IPAddress other) =>
        any.Equals(IPAddress.IPv6Any) || (any.Equals(IPAddress.Any) && other.AddressFamily == any.AddressFamily);
}

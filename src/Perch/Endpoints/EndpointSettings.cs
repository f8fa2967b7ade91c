using System.ComponentModel.DataAnnotations;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>The keys of one entry of <c>Perch:Endpoints</c>, besides <c>Options</c> and <c>Guards</c>.</summary>
internal sealed class EndpointSettings
{
    /// <summary>The port, 0 to let the system choose; or <see cref="UnixSocket"/>.</summary>
    [Range(0, 65535)]
    public int? Port { get; set; }

    /// <summary>The path of a Unix socket, relative to the content root.</summary>
    public string? UnixSocket { get; set; }

    /// <summary>
    /// The access rights of the Unix socket in octal digits, such as <c>0660</c>; a peer needs the right to write to connect. Default: what
    /// the umask of the process leaves.
    /// </summary>
    public string? Mode { get; set; }

    /// <summary>The IP address to bind. Default <c>Perch:Address</c>.</summary>
    public string? Address { get; set; }

    /// <summary>The transport. Default <c>Tcp</c>.</summary>
    public EndpointTransport Transport { get; set; } = EndpointTransport.Tcp;

    /// <summary>The name of a registered protocol.</summary>
    public string? Protocol { get; set; }

    /// <summary>Whether the endpoint is served. Default true.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>How many connections the system holds that were not accepted yet. Default 512. Not for UDP.</summary>
    [Range(1, 65535)]
    public int? Backlog { get; set; }

    /// <summary>
    /// Where the handlers of the direct transport go on when they have waited: <c>Inline</c>, the default, is on the loop
    /// that heard the news; <c>ThreadPool</c> is for those that compute or block. Not for UDP.
    /// </summary>
    public ContinuationScheduling? Scheduling { get; set; }

    /// <summary>
    /// Whether several Perch processes of one user share the TCP port; the kernel distributes the connections. Default false: the port
    /// belongs to one process. Linux only; not for UDP and Unix sockets.
    /// </summary>
    public bool ReusePort { get; set; }

    /// <summary>The log lines of each connection. Default <c>Ended</c>.</summary>
    public ConnectionLogging LogConnections { get; set; }

    /// <summary>
    /// UDP only: the bytes of datagrams that the system holds until they are received. Default 1 MiB, or what the system
    /// gives of it.
    /// </summary>
    [Range(4096, 1024 * 1024 * 1024)]
    public int? ReceiveBufferBytes { get; set; }

    /// <summary>UDP only: the multicast groups to join, <c>239.1.2.3</c> or <c>ff15::1@eth0</c>. Default none.</summary>
    public string[] MulticastGroups { get; set; } = [];
}

/// <summary>The transports that an endpoint can be served over.</summary>
internal enum EndpointTransport
{
    /// <summary>TCP, or a stream Unix socket.</summary>
    Tcp,

    /// <summary>UDP.</summary>
    Udp,
}

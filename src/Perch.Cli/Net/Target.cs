using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Perch.Wire;

namespace Perch.Cli.Net;

/// <summary>Where to, as it was written: <c>tcp://host:port</c>, <c>tls://</c>, <c>udp://</c>, <c>unix:/path</c>, or <c>host:port</c> for TCP.</summary>
/// <remarks>
/// A protocol's name is a scheme too: it stands for TCP, says how the peer wants to be talked to, and knows the port that Perch
/// serves it on where none is given (<c>hello://localhost</c> is port 8000). What follows the address is
/// <see cref="Path"/>, which only the verbs about files use.
/// </remarks>
/// <param name="Transport">What carries the bytes.</param>
/// <param name="Host">Name or address; the path of the socket for <see cref="Transport.Unix"/>.</param>
/// <param name="Port">1 to 65535; 0 for <see cref="Transport.Unix"/>.</param>
internal sealed record Target(Transport Transport, string Host, int Port)
{
    /// <summary>The protocol that only the verbs about files speak.</summary>
    public const string Tftp = "tftp";

    private const int MaxPort = 65535;

    private static readonly Dictionary<string, (Transport Transport, int Port)> Protocols = new(StringComparer.Ordinal)
    {
        ["echo"] = (Transport.Tcp, 25000),
        ["hello"] = (Transport.Tcp, 8000),
        ["reply"] = (Transport.Tcp, 9999),
        ["bytes"] = (Transport.Tcp, 9994),
        ["record"] = (Transport.Tcp, 9997),
        ["files"] = (Transport.Tcp, 9995),
        // The well-known port (RFC 3617), where servers of other people are; Perch's default is 6969, which anybody may open.
        [Tftp] = (Transport.Udp, 69),
    };

    /// <summary>The protocol that the scheme named; null where it named a transport.</summary>
    public string? Protocol { get; init; }

    public bool IsTls { get; init; }

    /// <summary>What stands behind the address, without its first slash and with %XX decoded; empty where nothing does.</summary>
    public string Path { get; init; } = "";

    /// <summary>TFTP: the name has a slash at its begin, written as a second one: <c>tftp://host//srv/name</c> (RFC 3617, section 3).</summary>
    public bool IsRooted { get; init; }

    /// <summary>The address for people.</summary>
    public string Address => PeerText.Escape(Transport == Transport.Unix ? Host : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}");

    /// <summary>Reads what a person wrote.</summary>
    /// <param name="text">The argument.</param>
    /// <param name="target">Where to.</param>
    /// <param name="fault">What is wrong with it, and how it is written.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out Target? target, [NotNullWhen(false)] out string? fault)
    {
        target = null;
        fault = null;
        if (text.StartsWith("unix:", StringComparison.OrdinalIgnoreCase))
            return TryParseUnix(text["unix:".Length..], out target, out fault);

        var scheme = "tcp";
        var rest = text;
        // RFC 3986, 3.1: a scheme is the same in any case.
        if (text.IndexOf("://", StringComparison.Ordinal) is var end and >= 0)
            (scheme, rest) = (text[..end].ToLowerInvariant(), text[(end + 3)..]);
        var isTls = scheme == "tls";
        Transport transport;
        var defaultPort = 0;
        switch (scheme)
        {
            case "tcp" or "tls":
                transport = Transport.Tcp;
                break;
            case "udp":
                transport = Transport.Udp;
                break;
            case var name when Protocols.TryGetValue(name, out var known):
                (transport, defaultPort) = known;
                break;
            default:
                fault = $"'{PeerText.Escape(scheme)}' is not a scheme: write tcp, tls, udp or unix, or a protocol: {string.Join(", ", Protocols.Keys)}.";
                return false;
        }

        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var address = slash < 0 ? rest : rest[..slash];
        if (!TryParseAddress(address, defaultPort, out var host, out var port))
        {
            fault = $"'{PeerText.Escape(text)}' has no {(port == 0 && host.Length > 0 ? "port from 1 to 65535" : "host")}: write {scheme}://host:port or host:port, an IPv6 address in brackets.";
            return false;
        }

        var path = slash < 0 ? "" : Uri.UnescapeDataString(rest[(slash + 1)..]);
        var isRooted = scheme == Tftp && path.StartsWith('/');
        target = new(transport, host, port)
        {
            Protocol = defaultPort == 0 ? null : scheme,
            IsTls = isTls,
            IsRooted = isRooted,
            Path = isRooted ? path[1..] : path,
        };
        return true;
    }

    /// <summary>The addresses to try, in their order.</summary>
    /// <exception cref="CliException">The host's name is not known.</exception>
    public async Task<IReadOnlyList<EndPoint>> ResolveAsync(CancellationToken cancellationToken)
    {
        if (Transport == Transport.Unix) return [new UnixDomainSocketEndPoint(Host)];
        if (IPAddress.TryParse(Host, out var literal)) return [new IPEndPoint(literal, Port)];
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(Host, cancellationToken);
            // A datagram's sender does not learn whether somebody listens: most servers listen on IPv4.
            var ordered = Transport == Transport.Udp ? addresses.OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1) : addresses.AsEnumerable();
            return [.. ordered.Select(address => new IPEndPoint(address, Port))];
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            throw new CliException(ExitCode.UnknownHost, $"There is no host named '{PeerText.Escape(Host)}'.");
        }
    }

    private static bool TryParseUnix(string rest, [NotNullWhen(true)] out Target? target, [NotNullWhen(false)] out string? fault)
    {
        // unix:///run/x and unix:/run/x are one path; unix:run/x is relative.
        var path = rest.StartsWith("//", StringComparison.Ordinal) ? rest[2..] : rest;
        fault = path.Length == 0 ? "unix: needs the path of a socket: write unix:/run/name.sock." : null;
        target = fault is null ? new(Transport.Unix, path, 0) : null;
        return target is not null;
    }

    private static bool TryParseAddress(string address, int defaultPort, out string host, out int port)
    {
        var colon = address.LastIndexOf(':');
        // Within brackets, or one of several without them: an address and not a port.
        if (colon >= 0 && (colon < address.IndexOf(']', StringComparison.Ordinal) || address.IndexOf(':', StringComparison.Ordinal) != colon && address[0] != '[')) colon = -1;
        host = (colon < 0 ? address : address[..colon]).Trim('[', ']');
        port = defaultPort;
        if (colon >= 0 && !int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)) port = 0;
        if (host.Length == 0 && colon == 0 && port > 0) host = "localhost";
        if (host.Length == 0) return false;
        if (port is >= 1 and <= MaxPort) return true;
        port = 0;
        return false;
    }
}

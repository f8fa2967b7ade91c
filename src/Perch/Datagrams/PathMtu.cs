using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Datagrams;

/// <summary>What the system knows of the way to a peer (ip(7), ipv6(7)).</summary>
internal static class PathMtu
{
    private const int IPv4Level = 0;
    private const int IPv4Mtu = 14;
    private const int IPv6Level = 41;
    private const int IPv6Mtu = 24;

    /// <returns>The most that a packet can have on the way to the peer without being cut, headers included; the largest packet that there is where nobody knows.</returns>
    public static int To(in PeerAddress peer)
    {
        if (!OperatingSystem.IsLinux()) return ushort.MaxValue;
        try
        {
            // Connecting sends nothing; it asks for the route, and so for what earlier packets have found out about it.
            using var socket = new Socket(peer.IsIPv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
            socket.Connect(peer.ToIPEndPoint());
            var mtu = 0;
            socket.GetRawSocketOption(peer.IsIPv4 ? IPv4Level : IPv6Level, peer.IsIPv4 ? IPv4Mtu : IPv6Mtu, MemoryMarshal.AsBytes(new Span<int>(ref mtu)));
            return mtu > 0 ? mtu : ushort.MaxValue;
        }
        catch (SocketException)
        {
            return ushort.MaxValue;
        }
    }
}

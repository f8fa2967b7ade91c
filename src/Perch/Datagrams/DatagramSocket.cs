using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Perch.Endpoints;

namespace Perch.Datagrams;

/// <summary>Makes and asks UDP sockets. The numbers are Linux's (asm-generic/socket.h, linux/in.h, linux/in6.h; socket(7), ip(7), ipv6(7)).</summary>
internal static class DatagramSocket
{
    private const int SolSocket = 1;
    private const int SoReceiveBufferForce = 33;
    private const int SoMeminfo = 55;
    private const int MeminfoWords = 9;
    private const int MeminfoDrops = 8;
    private const int IpMulticastAll = 49;
    private const int Ipv6MulticastAll = 29;
    private const int IpPacketInformation = 8;
    private const int Ipv6ReceivePacketInformation = 49;

    /// <exception cref="SocketException">It cannot be bound.</exception>
    public static Socket Bind(ListenAddress listen)
    {
        var socket = new Socket(listen.Address!.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (listen.Address.Equals(IPAddress.IPv6Any)) socket.DualMode = true;
            if (OperatingSystem.IsLinux()) SetLinuxOptions(socket, listen.Address);
            // On Windows an unreachable peer would fail the next receive (SIO_UDP_CONNRESET).
            if (OperatingSystem.IsWindows()) socket.IOControl(unchecked((int)0x9800000C), [0], null);
            socket.Bind(listen.EndPoint);
            foreach (var group in listen.MulticastGroups) Join(socket, group);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks for a receive buffer of so many bytes.</summary>
    /// <returns>What the system has given.</returns>
    public static int SetReceiveBuffer(Socket socket, int bytes)
    {
        if (!OperatingSystem.IsLinux())
        {
            socket.ReceiveBufferSize = bytes;
            return socket.ReceiveBufferSize;
        }

        try
        {
            // Past net.core.rmem_max, for who may (CAP_NET_ADMIN).
            socket.SetRawSocketOption(SolSocket, SoReceiveBufferForce, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in bytes)));
        }
        catch (SocketException)
        {
            socket.ReceiveBufferSize = bytes;
        }

        // Linux doubles what it is told, for its own bookkeeping (socket(7)).
        return socket.ReceiveBufferSize / 2;
    }

    /// <returns>Datagrams that did not fit the receive buffer since the socket was made.</returns>
    public static long KernelDrops(Socket socket)
    {
        if (!OperatingSystem.IsLinux()) return 0;
        Span<uint> meminfo = stackalloc uint[MeminfoWords];
        meminfo.Clear();
        try
        {
            return socket.GetRawSocketOption(SolSocket, SoMeminfo, MemoryMarshal.AsBytes(meminfo)) == MeminfoWords * sizeof(uint) ? meminfo[MeminfoDrops] : 0;
        }
        catch (SocketException)
        {
            // Before Linux 4.12.
            return 0;
        }
    }

    public static bool IsWildcard(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private static void SetLinuxOptions(Socket socket, IPAddress address)
    {
        var isIPv6 = address.AddressFamily == AddressFamily.InterNetworkV6;
        // What other sockets of this machine have joined is theirs.
        if (isIPv6) TrySet(socket, SocketOptionLevel.IPv6, Ipv6MulticastAll, 0);
        if (!isIPv6 || socket.DualMode) TrySet(socket, SocketOptionLevel.IP, IpMulticastAll, 0);
        if (!IsWildcard(address)) return;
        // Which of its addresses was asked; a socket that is bound to one answers from that.
        if (isIPv6) Set(socket, SocketOptionLevel.IPv6, Ipv6ReceivePacketInformation, 1);
        else Set(socket, SocketOptionLevel.IP, IpPacketInformation, 1);
    }

    private static void Join(Socket socket, MulticastGroup group)
    {
        var index = group.Interface is { } name ? IndexOf(name, group.Address.AddressFamily) : 0;
        if (group.Address.AddressFamily == AddressFamily.InterNetworkV6)
            socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, new IPv6MulticastOption(group.Address, index));
        else
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(group.Address, index));
    }

    private static int IndexOf(string name, AddressFamily family)
    {
        var found = NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(i => i.Name == name)
            ?? throw new InvalidOperationException($"this machine has no network interface '{name}': change the endpoint's MulticastGroups");
        var properties = found.GetIPProperties();
        return family == AddressFamily.InterNetworkV6 ? properties.GetIPv6Properties().Index : properties.GetIPv4Properties().Index;
    }

    private static void Set(Socket socket, SocketOptionLevel level, int option, int value) =>
        socket.SetRawSocketOption((int)level, option, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));

    private static void TrySet(Socket socket, SocketOptionLevel level, int option, int value)
    {
        try
        {
            Set(socket, level, option, value);
        }
        catch (SocketException)
        {
            // IPV6_MULTICAST_ALL came with Linux 4.20.
        }
    }
}

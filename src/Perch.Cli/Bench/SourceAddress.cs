using System.Net;
using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>
/// Loads that connect again and again on loopback use up the ports of one source address, which wait a minute each: they take turns
/// with the addresses of 127.0.0.0/8.
/// </summary>
internal static class SourceAddress
{
    private const int Addresses = 200;
    private const int IpProtocol = 0;
    private const int BindAddressNoPort = 24;

    private static int _last;

    public static void Spread(Socket socket, EndPoint target, bool isWanted)
    {
        if (!isWanted || !OperatingSystem.IsLinux() || target is not IPEndPoint { Address: { AddressFamily: AddressFamily.InterNetwork } address } || !IPAddress.IsLoopback(address)) return;
        socket.SetRawSocketOption(IpProtocol, BindAddressNoPort, BitConverter.GetBytes(1));
        _last = (_last + 1) % Addresses;
        socket.Bind(new IPEndPoint(new IPAddress([127, 0, 1, (byte)(1 + _last)]), 0));
    }
}

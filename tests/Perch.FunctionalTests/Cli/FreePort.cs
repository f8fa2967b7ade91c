using System.Net;
using System.Net.Sockets;

namespace Perch.FunctionalTests.Cli;

/// <summary>A port for a server that has to be told one: it is started again where it was, or cannot say which it took.</summary>
internal static class FreePort
{
    public static int Find() => Find(SocketType.Stream, ProtocolType.Tcp);

    public static int FindUdp() => Find(SocketType.Dgram, ProtocolType.Udp);

    private static int Find(SocketType type, ProtocolType protocol)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, type, protocol);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

using System.Net;
using System.Net.Sockets;

namespace Perch.FunctionalTests.Cli;

/// <summary>A port for a server that is started again, and has to be found where it was.</summary>
internal static class FreePort
{
    public static int Find()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

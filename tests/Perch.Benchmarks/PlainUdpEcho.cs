using System.Net;
using System.Net.Sockets;

namespace Perch.Benchmarks;

/// <summary>What .NET's sockets do at their best: one thread, one datagram a call, nothing allocated.</summary>
internal static class PlainUdpEcho
{
    public static async Task<int> RunAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await Console.Out.WriteLineAsync($"port {((IPEndPoint)socket.LocalEndPoint!).Port}");
        var buffer = new byte[65535];
        var peer = new SocketAddress(AddressFamily.InterNetwork);
        while (true)
        {
            var length = socket.ReceiveFrom(buffer, SocketFlags.None, peer);
            socket.SendTo(buffer.AsSpan(0, length), SocketFlags.None, peer);
        }
    }
}

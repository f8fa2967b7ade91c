using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Endpoints;

/// <summary>
/// Binds a TCP port that several processes of one user share: the kernel distributes the connections (socket(7), SO_REUSEPORT). Linux only.
/// </summary>
internal static class SharedPort
{
    private const int SolSocket = 1;
    private const int SoReusePort = 15;

    /// <summary>A bound socket that does not listen yet. On <c>::</c> it serves both families, as without a shared port.</summary>
    /// <exception cref="SocketException">The port cannot be bound.</exception>
    public static Socket Bind(EndPoint endPoint)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endPoint is IPEndPoint ip && ip.Address.Equals(IPAddress.IPv6Any))
                socket.DualMode = true;
            // The kernel lets sockets share a port only if each has the option when it is bound.
            var enabled = 1;
            socket.SetRawSocketOption(SolSocket, SoReusePort, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in enabled)));
            socket.Bind(endPoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

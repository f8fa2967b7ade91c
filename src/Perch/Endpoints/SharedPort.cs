using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Perch.Transport;

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
    public static Socket Bind(EndPoint endPoint) => DirectTransportOptions.CreateDefaultBoundListenSocket(endPoint, Share);

    /// <summary>The kernel lets sockets share a port only if each has the option when it is bound.</summary>
    private static void Share(Socket socket)
    {
        var enabled = 1;
        socket.SetRawSocketOption(SolSocket, SoReusePort, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in enabled)));
    }
}

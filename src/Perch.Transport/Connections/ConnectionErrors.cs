using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Perch.Linux;

namespace Perch.Transport.Connections;

/// <summary>What a failed system call means to who uses the connection: however the peer went away, it is gone.</summary>
internal static class ConnectionErrors
{
    public static ConnectionResetException Describe(int error) => new(Marshal.GetPInvokeErrorMessage(error), new SocketException((int)(error switch
    {
        Errno.TimedOut => SocketError.TimedOut,
        Errno.HostUnreachable => SocketError.HostUnreachable,
        Errno.NetworkUnreachable => SocketError.NetworkUnreachable,
        Errno.NoBufferSpace or Errno.OutOfMemory => SocketError.NoBufferSpaceAvailable,
        _ => SocketError.ConnectionReset,
    })));
}

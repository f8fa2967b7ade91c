using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Cli.Bench;

/// <summary>
/// send(2) and recv(2) of sockets that do not block. On Linux they are called as they are: what <see cref="Socket"/> does around them
/// (references counted, checks, error codes) shows in the rate of short messages. The thread that loads is the only one that uses and
/// disposes its sockets, so nothing has to be counted.
/// </summary>
internal static unsafe partial class SocketCalls
{
    private const int NoSignal = 0x4000;

    // Numbers of errno(3), as Linux has them on x64 and arm64.
    private const int Interrupted = 4;
    private const int TryAgain = 11;
    private const int BrokenPipe = 32;
    private const int MessageTooLong = 90;
    private const int NetworkUnreachable = 101;
    private const int ConnectionAborted = 103;
    private const int ConnectionReset = 104;
    private const int TimedOut = 110;
    private const int ConnectionRefused = 111;
    private const int HostUnreachable = 113;

    /// <param name="socket">Not blocking.</param>
    /// <param name="bytes">At least one.</param>
    /// <param name="error"><see cref="SocketError.WouldBlock"/> where there is no room.</param>
    /// <returns>How many bytes were taken; of use where <paramref name="error"/> is <see cref="SocketError.Success"/>.</returns>
    public static int Send(Socket socket, ReadOnlySpan<byte> bytes, out SocketError error)
    {
        if (!OperatingSystem.IsLinux()) return socket.Send(bytes, SocketFlags.None, out error);
        fixed (byte* start = bytes)
        {
            nint sent;
            do sent = Send((int)socket.Handle, start, (nuint)bytes.Length, NoSignal);
            while (sent < 0 && Marshal.GetLastSystemError() == Interrupted);
            error = sent < 0 ? LastError() : SocketError.Success;
            return (int)sent;
        }
    }

    /// <param name="socket">Not blocking.</param>
    /// <param name="buffer">Where to.</param>
    /// <param name="error"><see cref="SocketError.WouldBlock"/> where nothing is there.</param>
    /// <returns>How many bytes came, 0 at the end of a stream; of use where <paramref name="error"/> is <see cref="SocketError.Success"/>.</returns>
    public static int Receive(Socket socket, Span<byte> buffer, out SocketError error)
    {
        if (!OperatingSystem.IsLinux()) return socket.Receive(buffer, SocketFlags.None, out error);
        fixed (byte* start = buffer)
        {
            nint received;
            do received = Receive((int)socket.Handle, start, (nuint)buffer.Length, 0);
            while (received < 0 && Marshal.GetLastSystemError() == Interrupted);
            error = received < 0 ? LastError() : SocketError.Success;
            return (int)received;
        }
    }

    /// <summary>Those that <see cref="Failure"/> has words for.</summary>
    private static SocketError LastError() => Marshal.GetLastSystemError() switch
    {
        TryAgain => SocketError.WouldBlock,
        MessageTooLong => SocketError.MessageSize,
        NetworkUnreachable => SocketError.NetworkUnreachable,
        ConnectionAborted => SocketError.ConnectionAborted,
        ConnectionReset or BrokenPipe => SocketError.ConnectionReset,
        TimedOut => SocketError.TimedOut,
        ConnectionRefused => SocketError.ConnectionRefused,
        HostUnreachable => SocketError.HostUnreachable,
        _ => SocketError.SocketError,
    };

    // They never wait, so the collector may wait for them; errno is read at once, before the runtime calls anything else.
    [LibraryImport("libc", EntryPoint = "send")]
    [SuppressGCTransition]
    private static partial nint Send(int socket, byte* bytes, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv")]
    [SuppressGCTransition]
    private static partial nint Receive(int socket, byte* buffer, nuint length, int flags);
}

using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Perch.Linux;

/// <summary>
/// The system calls of the transport, with the numbers of Linux on x64 and arm64 (asm-generic, the same with glibc and musl).
/// Calls on sockets that never block leave the collector waiting (<see cref="SuppressGCTransitionAttribute"/>): their errno is
/// read at once by <see cref="Marshal.GetLastSystemError"/>. Those that may sleep or touch a disk do not.
/// </summary>
public static unsafe partial class Libc
{
    public const int NoSignal = 0x4000;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const int ShutdownWrite = 1;
    public const int SocketLevel = 1;
    public const int SocketErrorOption = 4;
    public const int LingerOption = 13;
    public const int ReadWriteCloseOnExec = 0x80002;
    public const short PollOut = 4;
    public const int ReadOnlyMapping = 1;
    public const int SharedMapping = 1;
    public const nint MapFailed = -1;

    [LibraryImport("libc", EntryPoint = "recv")]
    [SuppressGCTransition]
    public static partial nint Receive(int socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "send")]
    [SuppressGCTransition]
    public static partial nint Send(int socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "sendmsg")]
    [SuppressGCTransition]
    public static partial nint SendMessage(int socket, MessageHeader* message, int flags);

    /// <summary>sendfile(2); off_t has 64 bits on both architectures. It may wait for the disk.</summary>
    [LibraryImport("libc", EntryPoint = "sendfile", SetLastError = true)]
    public static partial nint SendFile(int socket, SafeFileHandle file, long* offset, nuint length);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Map(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(nint address, nuint length);

    /// <summary>mincore(2): a byte for each page, whose lowest bit says that it is in memory. It does not wait.</summary>
    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    public static partial int FindResident(nint address, nuint length, byte* states);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    public static partial int Accept(SafeSocketHandle socket, byte* address, uint* addressLength, int flags);

    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    public static partial int Shutdown(int socket, int how);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    public static partial int GetOption(int socket, int level, int option, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetOption(int socket, int level, int option, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    public static partial int GetName(int socket, byte* address, uint* addressLength);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    public static partial int Poll(PollDescriptor* descriptors, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int EpollControl(int epoll, int operation, int descriptor, byte* interest);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    public static partial int EpollWait(int epoll, byte* events, int count, int timeout);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    public static partial int EventDescriptor(uint value, int flags);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int descriptor, void* buffer, nuint length);

    /// <summary>SO_LINGER of zero seconds: the close that follows resets the connection.</summary>
    public static void SetReset(int socket)
    {
        var linger = stackalloc int[] { 1, 0 };
        SetOption(socket, SocketLevel, LingerOption, linger, 2 * sizeof(int));
    }

    /// <returns>The socket's pending error, which is taken from it; 0 where there is none.</returns>
    public static int TakeError(int socket)
    {
        var (error, length) = (0, (uint)sizeof(int));
        return GetOption(socket, SocketLevel, SocketErrorOption, &error, &length) == 0 ? error : Marshal.GetLastPInvokeError();
    }

    /// <returns>Whether the socket takes bytes now, or fails.</returns>
    public static bool IsWritable(int socket)
    {
        var poll = new PollDescriptor { Descriptor = socket, Events = PollOut };
        return Poll(&poll, 1, 0) != 0;
    }

    /// <summary>struct msghdr; what musl calls padding is zero.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public byte* Name;
        public uint NameLength;
        public Vector* Vectors;
        public nuint VectorCount;
        public byte* Control;
        public nuint ControlLength;
        public int Flags;
    }

    /// <summary>struct iovec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Vector
    {
        public byte* Start;
        public nuint Length;
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}

using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Linux;

/// <summary>
/// recvmmsg(2), sendmmsg(2) and sendmsg(2). The layouts are those of 64-bit Linux, the same on x64 and arm64 and with glibc
/// and musl: sizes are 8 bytes, and what musl calls padding is zero. The handle stays open during each call: after a close its number
/// may belong to another socket at once.
/// </summary>
public static unsafe partial class NativeDatagrams
{
    public const int DontWait = 0x40;
    public const int WaitForOne = 0x10000;
    public const int Truncated = 0x20;
    public const int Interrupted = 4;
    public const int TryAgain = 11;

    public const int IPv4Family = 2;
    public const int IPv6Family = 10;
    public const int IPv4NameLength = 16;
    public const int IPv6NameLength = 28;

    /// <summary>IPPROTO_IP, IP_PKTINFO.</summary>
    public const int IPv4Level = 0;
    public const int IPv4PacketInformation = 8;

    /// <summary>IPPROTO_IPV6, IPV6_PKTINFO.</summary>
    public const int IPv6Level = 41;
    public const int IPv6PacketInformation = 50;

    [LibraryImport("libc", EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveMany(SafeSocketHandle socket, MessageHeader* messages, uint count, int flags, void* timeout);

    [LibraryImport("libc", EntryPoint = "sendmmsg", SetLastError = true)]
    public static partial int SendMany(SafeSocketHandle socket, MessageHeader* messages, uint count, int flags);

    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    public static partial int Shutdown(SafeSocketHandle socket, int how);

    /// <summary>struct mmsghdr: a struct msghdr and the length of what was received or sent.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MessageHeader
    {
        public byte* Name;
        public uint NameLength;
        public Buffer* Buffers;
        public nuint BufferCount;
        public byte* Control;
        public nuint ControlLength;
        public int Flags;
        private readonly int _padding;
        public uint Length;
        private readonly uint _end;
    }

    /// <summary>struct iovec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Buffer
    {
        public byte* Start;
        public nuint Length;
    }

    /// <summary>struct cmsghdr; its data follows.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;
    }
}

using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Perch.Datagrams;
using Perch.FunctionalTests.Hosting;
using Perch.Linux;

namespace Perch.FunctionalTests;

/// <summary>
/// The numbers and layouts of the system that the sources write down, against the headers of each C library and architecture
/// that Perch is to run on: a compiler checks them (<c>_Static_assert</c>), so none of these machines needs to be at hand.
/// </summary>
public sealed class SystemInterfaceTests
{
    private const BindingFlags Any = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly string[] Headers =
    [
        "stddef.h", "errno.h", "fcntl.h", "poll.h", "sys/epoll.h", "sys/eventfd.h", "sys/file.h", "sys/mman.h", "sys/socket.h", "sys/stat.h", "sys/uio.h", "netinet/in.h", "netinet/udp.h",
    ];

    /// <summary>What the sources call it, and its name in C.</summary>
    private static readonly (Type Type, string Names)[] Numbers =
    [
        (typeof(Libc), """
            NoSignal MSG_NOSIGNAL, NonBlocking SOCK_NONBLOCK, NonBlocking EFD_NONBLOCK, CloseOnExec SOCK_CLOEXEC, CloseOnExec EFD_CLOEXEC, CloseOnExec EPOLL_CLOEXEC, ShutdownWrite SHUT_WR, SocketLevel SOL_SOCKET,
            SocketErrorOption SO_ERROR, LingerOption SO_LINGER, ReadWriteCloseOnExec (O_RDWR|O_CLOEXEC), PollOut POLLOUT, ReadOnlyMapping PROT_READ, SharedMapping MAP_SHARED
            """),
        (typeof(Epoll), """
            Readable EPOLLIN, Urgent EPOLLPRI, Writable EPOLLOUT, Error EPOLLERR, HangUp EPOLLHUP, PeerHangUp EPOLLRDHUP, EdgeTriggered EPOLLET, Add EPOLL_CTL_ADD, Delete EPOLL_CTL_DEL, Modify EPOLL_CTL_MOD
            """),
        (typeof(Errno), """
            NotPermitted EPERM, Interrupted EINTR, BadDescriptor EBADF, TryAgain EAGAIN, OutOfMemory ENOMEM, TableOfSystemFull ENFILE, TableOfProcessFull EMFILE, BrokenPipe EPIPE, NoNetworkOfMachine ENONET,
            ProtocolError EPROTO, NoProtocolOption ENOPROTOOPT, NotSupported EOPNOTSUPP, NetworkDown ENETDOWN, NetworkUnreachable ENETUNREACH, ConnectionAborted ECONNABORTED, ConnectionReset ECONNRESET,
            NoBufferSpace ENOBUFS, TimedOut ETIMEDOUT, HostDown EHOSTDOWN, HostUnreachable EHOSTUNREACH
            """),
        (typeof(SocketName), "IPv4Family AF_INET, IPv6Family AF_INET6"),
        (typeof(NativeDatagrams), """
            DontWait MSG_DONTWAIT, WaitForOne MSG_WAITFORONE, Truncated MSG_TRUNC, Interrupted EINTR, TryAgain EAGAIN, IPv4Family AF_INET, IPv6Family AF_INET6, IPv4NameLength sizeof(struct sockaddr_in),
            IPv6NameLength sizeof(struct sockaddr_in6), IPv4Level IPPROTO_IP, IPv4PacketInformation IP_PKTINFO, IPv6Level IPPROTO_IPV6, IPv6PacketInformation IPV6_PKTINFO
            """),
        (typeof(DatagramBurst), "UdpLevel IPPROTO_UDP, UdpSegment UDP_SEGMENT, SegmentControlBytes CMSG_SPACE(2), SegmentControlLength CMSG_LEN(2), InputOutput EIO"),
        (typeof(DatagramSocket), """
            SolSocket SOL_SOCKET, SoReceiveBufferForce SO_RCVBUFFORCE, SoMeminfo SO_MEMINFO, IpMulticastAll IP_MULTICAST_ALL, Ipv6MulticastAll IPV6_MULTICAST_ALL, IpPacketInformation IP_PKTINFO,
            Ipv6ReceivePacketInformation IPV6_RECVPKTINFO
            """),
        (typeof(PathMtu), "IPv4Level IPPROTO_IP, IPv4Mtu IP_MTU, IPv6Level IPPROTO_IPV6, IPv6Mtu IPV6_MTU"),
        (typeof(Posix), """
            ENOENT ENOENT, ENXIO ENXIO, EWOULDBLOCK EWOULDBLOCK, EEXIST EEXIST, ENOTDIR ENOTDIR, EISDIR EISDIR, EINVAL EINVAL, ENOSPC ENOSPC, ELOOP ELOOP, ENOTEMPTY ENOTEMPTY, EDQUOT EDQUOT, ReadWrite O_RDWR,
            Create O_CREAT, Exclusive O_EXCL, CloseOnExec O_CLOEXEC, PathOnly O_PATH, NonBlocking O_NONBLOCK, AtRemoveDir AT_REMOVEDIR, AtSymlinkNoFollow AT_SYMLINK_NOFOLLOW, AtEmptyPath AT_EMPTY_PATH,
            TypeMask S_IFMT, TypeRegular S_IFREG, TypeFolder S_IFDIR
            """),
    ];

    private static readonly (Type Type, string Name, string Fields)[] Layouts =
    [
        (typeof(Libc.MessageHeader), "struct msghdr", "Name msg_name, NameLength msg_namelen, Vectors msg_iov, VectorCount msg_iovlen, Control msg_control, ControlLength msg_controllen, Flags msg_flags"),
        (typeof(Libc.Vector), "struct iovec", "Start iov_base, Length iov_len"),
        (typeof(Libc.PollDescriptor), "struct pollfd", "Descriptor fd, Events events, Returned revents"),
        (typeof(NativeDatagrams.MessageHeader), "struct mmsghdr", """
            Name msg_hdr.msg_name, NameLength msg_hdr.msg_namelen, Buffers msg_hdr.msg_iov, BufferCount msg_hdr.msg_iovlen, Control msg_hdr.msg_control, ControlLength msg_hdr.msg_controllen,
            Flags msg_hdr.msg_flags, Length msg_len
            """),
        (typeof(NativeDatagrams.Buffer), "struct iovec", "Start iov_base, Length iov_len"),
        (typeof(Posix.FileStatusBlock), "struct statx", "_mode stx_mode, Inode stx_ino, Size stx_size, _modifiedSeconds stx_mtime.tv_sec"),
    ];

    [NeighbourFact("gcc")]
    public Task Numbers_OfThisMachine_AreThoseOfItsHeaders() => CompileAsync("gcc", RuntimeInformation.OSArchitecture);

    [NeighbourFact("musl-gcc")]
    public Task Numbers_OfMusl_AreThoseOfItsHeaders() => CompileAsync("musl-gcc", RuntimeInformation.OSArchitecture);

    [NeighbourFact("aarch64-linux-gnu-gcc")]
    public Task Numbers_OfArm_AreThoseOfItsHeaders() => CompileAsync("aarch64-linux-gnu-gcc", Architecture.Arm64);

    [NeighbourFact("gcc")]
    public async Task Compile_NumberOfAnotherArchitecture_Fails()
    {
        var other = RuntimeInformation.OSArchitecture == Architecture.X64 ? Architecture.Arm64 : Architecture.X64;
        var failure = await Assert.ThrowsAnyAsync<Exception>(() => CompileAsync("gcc", other));
        Assert.Contains("OpenFlags.Direct", failure.Message, StringComparison.Ordinal);
    }

    private static string Assertions(Architecture architecture)
    {
        var text = new StringBuilder("#define _GNU_SOURCE\n");
        foreach (var header in Headers) text.Append(CultureInfo.InvariantCulture, $"#include <{header}>\n");
        foreach (var (type, names) in Numbers)
        {
            foreach (var (name, expression) in Pairs(names)) Number(type.Name, name, expression, Value(type, name));
        }

        foreach (var (type, structure, fields) in Layouts)
        {
            Number(type.Name, "size", $"sizeof({structure})", Marshal.SizeOf(type));
            foreach (var (name, field) in Pairs(fields)) Number(type.Name, name, $"offsetof({structure}, {field})", Marshal.OffsetOf(type, name));
        }

        var (size, data) = Epoll.LayoutOf(architecture);
        Number("Epoll", "EventSize", "sizeof(struct epoll_event)", size);
        Number("Epoll", "DataOffset", "offsetof(struct epoll_event, data)", data);
        var flags = Posix.OpenFlags.Of(architecture);
        Number("OpenFlags", "Folder", "O_DIRECTORY", flags.Folder);
        Number("OpenFlags", "NoFollow", "O_NOFOLLOW", flags.NoFollow);
        Number("OpenFlags", "Direct", "O_DIRECT", flags.Direct);
        return text.ToString();

        void Number(string type, string name, string expression, object value)
        {
            // Not every C library has all names of the kernel; musl has statx since 1.2.4.
            var needed = expression is "SO_MEMINFO" or "UDP_SEGMENT" or "IP_MULTICAST_ALL" or "IPV6_MULTICAST_ALL" or "IPV6_MTU" ? expression
                : expression.Contains("struct statx", StringComparison.Ordinal) ? "STATX_BASIC_STATS" : "_GNU_SOURCE";
            text.Append(CultureInfo.InvariantCulture, $"#ifdef {needed}\n_Static_assert(({expression}) == {value}, \"{type}.{name}\");\n#endif\n");
        }
    }

    private static IEnumerable<(string Name, string Expression)> Pairs(string names) =>
        names.Split(',', StringSplitOptions.TrimEntries).Select(pair => (pair[..pair.IndexOf(' ', StringComparison.Ordinal)], pair[(pair.IndexOf(' ', StringComparison.Ordinal) + 1)..]));

    private static object Value(Type type, string name) => type.GetField(name, Any)?.GetRawConstantValue() ?? throw new InvalidOperationException($"{type.Name} has no constant {name}.");

    private static Task<string> CompileAsync(string compiler, Architecture architecture) =>
        Neighbour.RunAsync(compiler, ["-fsyntax-only", "-w", "-x", "c", "-"], Assertions(architecture));
}

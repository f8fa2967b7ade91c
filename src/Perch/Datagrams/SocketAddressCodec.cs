using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using static Perch.Linux.NativeDatagrams;

namespace Perch.Datagrams;

/// <summary>
/// Peers and local addresses as Linux's sockets have them: struct sockaddr_in and sockaddr_in6, struct in_pktinfo and
/// in6_pktinfo. The family and the interface's number are in the machine's order, ports and addresses in the network's.
/// </summary>
internal static unsafe class SocketAddressCodec
{
    public const int MostNameBytes = 32;

    /// <summary>CMSG_SPACE of struct in6_pktinfo, the larger of the two.</summary>
    public const int MostControlBytes = 40;

    private const int ControlHeaderBytes = 16;
    private const int IPv4InformationBytes = 12;
    private const int IPv6InformationBytes = 20;

    /// <returns>False where it is neither IPv4 nor IPv6.</returns>
    public static bool TryReadName(byte* name, uint length, out PeerAddress peer)
    {
        var bytes = new ReadOnlySpan<byte>(name, MostNameBytes);
        var family = Unsafe.ReadUnaligned<ushort>(name);
        if (family == IPv4Family && length >= IPv4NameLength)
        {
            peer = new(0, PeerAddress.Map(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]), 0);
            return true;
        }

        if (family == IPv6Family && length >= IPv6NameLength)
        {
            peer = new(BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
                BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]), Unsafe.ReadUnaligned<uint>(name + 24));
            return true;
        }

        peer = default;
        return false;
    }

    /// <returns>The name's length.</returns>
    public static uint WriteName(byte* name, in PeerAddress peer, bool asIPv6)
    {
        var bytes = new Span<byte>(name, MostNameBytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], peer.Port);
        if (!asIPv6)
        {
            Unsafe.WriteUnaligned(name, (ushort)IPv4Family);
            BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)peer.Low);
            Unsafe.WriteUnaligned(name + 8, 0UL);
            return IPv4NameLength;
        }

        Unsafe.WriteUnaligned(name, (ushort)IPv6Family);
        Unsafe.WriteUnaligned(name + 4, 0U);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], peer.High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], peer.Low);
        Unsafe.WriteUnaligned(name + 24, peer.Scope);
        return IPv6NameLength;
    }

    /// <summary>Finds the local address among the control messages. What was sent to a group has none, but the interface.</summary>
    public static void ReadLocal(byte* control, nuint length, DatagramContext context)
    {
        for (nuint at = 0; at + ControlHeaderBytes <= length;)
        {
            var header = (ControlHeader*)(control + at);
            if (header->Length < ControlHeaderBytes || header->Length > length - at) return;
            var data = control + at + ControlHeaderBytes;
            var size = header->Length - ControlHeaderBytes;
            if (header->Level == IPv4Level && header->Type == IPv4PacketInformation && size >= IPv4InformationBytes)
            {
                // ipi_spec_dst: the address that was asked, or for a group or a broadcast the interface's own.
                context.SetLocal(0, PeerAddress.Map(BinaryPrimitives.ReadUInt32BigEndian(new(data + 4, 4))), 0);
            }
            else if (header->Level == IPv6Level && header->Type == IPv6PacketInformation && size >= IPv6InformationBytes)
            {
                var (high, low) = (BinaryPrimitives.ReadUInt64BigEndian(new(data, 8)), BinaryPrimitives.ReadUInt64BigEndian(new(data + 8, 8)));
                var isGroup = high >> 56 == 0xFF;
                var isLinkLocal = high >> 54 == 0x3FA;
                context.SetLocal(isGroup ? 0 : high, isGroup ? 0 : low, isGroup || isLinkLocal ? Unsafe.ReadUnaligned<int>(data + 16) : 0);
            }

            at += (header->Length + 7) & ~(nuint)7;
        }
    }

    /// <returns>The control message's length with its padding; 0 where the system is to choose.</returns>
    public static nuint WriteLocal(byte* control, ulong high, ulong low, int interfaceIndex, bool asIPv6)
    {
        if ((high | low) == 0 && interfaceIndex == 0) return 0;
        var header = (ControlHeader*)control;
        var data = control + ControlHeaderBytes;
        if (!asIPv6)
        {
            (header->Length, header->Level, header->Type) = (ControlHeaderBytes + IPv4InformationBytes, IPv4Level, IPv4PacketInformation);
            Unsafe.WriteUnaligned(data, interfaceIndex);
            BinaryPrimitives.WriteUInt32BigEndian(new(data + 4, 4), (uint)low);
            Unsafe.WriteUnaligned(data + 8, 0U);
            return ControlHeaderBytes + 16;
        }

        (header->Length, header->Level, header->Type) = (ControlHeaderBytes + IPv6InformationBytes, IPv6Level, IPv6PacketInformation);
        BinaryPrimitives.WriteUInt64BigEndian(new(data, 8), high);
        BinaryPrimitives.WriteUInt64BigEndian(new(data + 8, 8), low);
        Unsafe.WriteUnaligned(data + 16, interfaceIndex);
        return ControlHeaderBytes + 24;
    }
}

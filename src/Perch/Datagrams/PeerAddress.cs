using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Datagrams;

/// <summary>
/// Who sent a datagram: address, port and, for a link-local IPv6 address, the interface. A value that can be a key; an IPv4
/// peer is the same key on an IPv4 socket and on one for both families.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public readonly struct PeerAddress : IEquatable<PeerAddress>
{
    private const ulong MappedPrefix = 0xFFFF_0000_0000;

    private readonly ulong _high;
    private readonly ulong _low;

    internal PeerAddress(ulong high, ulong low, ushort port, uint scope) => (_high, _low, Port, Scope) = (high, low, port, scope);

    /// <summary>Takes the address and port of an endpoint, such as one of a socket.</summary>
    /// <param name="endPoint">An IPv4 or IPv6 endpoint.</param>
    public PeerAddress(IPEndPoint endPoint)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        (_high, _low) = Halves(endPoint.Address);
        Port = (ushort)endPoint.Port;
        Scope = endPoint.AddressFamily == AddressFamily.InterNetworkV6 && !endPoint.Address.IsIPv4MappedToIPv6 ? (uint)endPoint.Address.ScopeId : 0;
    }

    /// <summary>The UDP port.</summary>
    public ushort Port { get; }

    /// <summary>The IP address; made anew by each call.</summary>
    public IPAddress Address => ToAddress(_high, _low, Scope);

    internal uint Scope { get; }

    internal bool IsIPv4 => IsMapped(_high, _low);

    internal ulong High => _high;

    internal ulong Low => _low;

    /// <returns>The same as an endpoint, for a socket or a log; made anew by each call.</returns>
    public IPEndPoint ToIPEndPoint() => new(Address, Port);

    /// <inheritdoc/>
    public bool Equals(PeerAddress other) => _low == other._low && Port == other.Port && _high == other._high && Scope == other.Scope;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PeerAddress other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_high, _low, Port, Scope);

    /// <inheritdoc/>
    public override string ToString() => ToIPEndPoint().ToString();

    /// <summary>Whether two peers are the same.</summary>
    public static bool operator ==(PeerAddress left, PeerAddress right) => left.Equals(right);

    /// <summary>Whether two peers differ.</summary>
    public static bool operator !=(PeerAddress left, PeerAddress right) => !left.Equals(right);

    internal static bool IsMapped(ulong high, ulong low) => high == 0 && low >> 32 == MappedPrefix >> 32;

    internal static ulong Map(uint ipv4) => MappedPrefix | ipv4;

    internal static (ulong High, ulong Low) Halves(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        return length == 4
            ? (0, Map(BinaryPrimitives.ReadUInt32BigEndian(bytes)))
            : (BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
    }

    internal static IPAddress ToAddress(ulong high, ulong low, uint scope)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, high);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], low);
        return IsMapped(high, low) ? new(bytes[12..]) : new IPAddress(bytes, scope);
    }
}

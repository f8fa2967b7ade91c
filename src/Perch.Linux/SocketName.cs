using System.Buffers.Binary;
using System.Net;

namespace Perch.Linux;

/// <summary>struct sockaddr_in and sockaddr_in6: the family in the machine's byte order, port and address in the network's.</summary>
public static unsafe class SocketName
{
    public const int MaxLength = 128;

    private const int IPv4Family = 2;
    private const int IPv6Family = 10;

    /// <returns>None where it is no IP address, as with Unix sockets.</returns>
    public static RemoteName Read(ReadOnlySpan<byte> name)
    {
        if (name.Length < 8) return default;
        var port = BinaryPrimitives.ReadUInt16BigEndian(name[2..]);
        return BitConverter.ToUInt16(name) switch
        {
            IPv4Family => new(BitConverter.ToUInt32(name[4..]), port),
            IPv6Family when name.Length >= 28 => new(new IPEndPoint(new IPAddress(name[8..24], BitConverter.ToUInt32(name[24..])), port)),
            _ => default,
        };
    }

    /// <returns>The address that the socket is bound to, or null.</returns>
    public static EndPoint? OfLocal(int socket)
    {
        var name = stackalloc byte[MaxLength];
        uint length = MaxLength;
        return Libc.GetName(socket, name, &length) == 0 ? Read(new(name, (int)Math.Min(length, MaxLength))).EndPoint : null;
    }
}

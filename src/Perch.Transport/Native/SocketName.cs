using System.Buffers.Binary;
using System.Net;

namespace Perch.Transport.Native;

/// <summary>struct sockaddr_in and sockaddr_in6: the family in the machine's byte order, port and address in the network's.</summary>
internal static unsafe class SocketName
{
    public const int MaxLength = 128;

    private const int IPv4Family = 2;
    private const int IPv6Family = 10;

    /// <returns>Null where it is no IP address, as with Unix sockets.</returns>
    public static IPEndPoint? Read(ReadOnlySpan<byte> name)
    {
        if (name.Length < 8) return null;
        int port = BinaryPrimitives.ReadUInt16BigEndian(name[2..]);
        return BitConverter.ToUInt16(name) switch
        {
            IPv4Family => new(new IPAddress(name[4..8]), port),
            IPv6Family when name.Length >= 28 => new(new IPAddress(name[8..24], BitConverter.ToUInt32(name[24..])), port),
            _ => null,
        };
    }

    /// <returns>The address that the socket is bound to, or null.</returns>
    public static IPEndPoint? OfLocal(int socket)
    {
        var name = stackalloc byte[MaxLength];
        uint length = MaxLength;
        return Libc.GetName(socket, name, &length) == 0 ? Read(new(name, (int)Math.Min(length, MaxLength))) : null;
    }
}

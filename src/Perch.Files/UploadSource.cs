using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Files;

/// <summary>The peer that unfinished uploads are counted for: an IPv4 address, the first 64 bits of an IPv6 one, or all Unix sockets together.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct UploadSource(ulong High, ulong Low)
{
    private static readonly UploadSource UnixSockets = new(0, ulong.MaxValue);

    /// <param name="remote"><see cref="FileUploadRequest.Remote"/>.</param>
    /// <returns>Null if the text names no peer.</returns>
    public static UploadSource? From(string remote)
    {
        if (remote == "unix") return UnixSockets;
        if (!IPEndPoint.TryParse(remote, out var endPoint)) return null;
        var address = endPoint.Address.IsIPv4MappedToIPv6 ? endPoint.Address.MapToIPv4() : endPoint.Address;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return address.AddressFamily == AddressFamily.InterNetwork
            ? new(0, BinaryPrimitives.ReadUInt32BigEndian(bytes))
            : new(BinaryPrimitives.ReadUInt64BigEndian(bytes), ulong.MaxValue);
    }
}

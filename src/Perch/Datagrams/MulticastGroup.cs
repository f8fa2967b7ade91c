using System.Net;
using System.Net.Sockets;

namespace Perch.Datagrams;

/// <summary>A multicast group to join: <c>239.1.2.3</c>, or <c>ff15::1@eth0</c> on one interface.</summary>
/// <param name="Address">The group.</param>
/// <param name="Interface">The interface's name, or null for the system's choice.</param>
internal sealed record MulticastGroup(IPAddress Address, string? Interface)
{
    /// <returns>Null where the text is no group.</returns>
    public static MulticastGroup? Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        if (!IPAddress.TryParse(at < 0 ? text : text[..at], out var address) || at == text.Length - 1) return null;
        var isMulticast = address.AddressFamily == AddressFamily.InterNetworkV6 ? address.IsIPv6Multicast : address.GetAddressBytes()[0] is >= 224 and < 240;
        return isMulticast ? new(address, at < 0 ? null : text[(at + 1)..]) : null;
    }

    public override string ToString() => Interface is null ? $"{Address}" : $"{Address}@{Interface}";
}

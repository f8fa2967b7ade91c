namespace Perch.Datagrams;

/// <summary>
/// How much may be sent to a source that may be forged: three times what came from it, in bytes on the wire, so that nobody
/// gains by making Perch send to somebody else (RFC 9000, section 8, has the same rule and the same factor).
/// </summary>
internal static class ReplyBudget
{
    public const int Factor = 3;

    private const int UdpHeader = 8;
    private const int IPv4Header = 20;
    private const int IPv6Header = 40;

    /// <summary>What a datagram with so many bytes of payload is on the wire.</summary>
    public static int WireBytes(int payload, bool isIPv4) => payload + UdpHeader + (isIPv4 ? IPv4Header : IPv6Header);

    /// <summary>What may be sent in answer to it.</summary>
    public static int For(int payload, bool isIPv4) => Factor * WireBytes(payload, isIPv4);
}

using System.Net;
using System.Runtime.InteropServices;

namespace Perch.Datagrams;

/// <summary>
/// The way back of one datagram: to its sender, from the address that it was sent to. It carries what is left of the
/// datagram's reply budget, so that an answer can be sent long after the datagram itself is gone.
/// </summary>
[StructLayout(LayoutKind.Auto)]
public readonly struct ReturnAddress
{
    internal ReturnAddress(PeerAddress peer, ulong localHigh, ulong localLow, int interfaceIndex, int budget) =>
        (Peer, LocalHigh, LocalLow, Interface, Budget) = (peer, localHigh, localLow, interfaceIndex, budget);

    /// <summary>Who sent the datagram.</summary>
    public PeerAddress Peer { get; }

    /// <summary>The address that it was sent to; null where the endpoint is bound to one address only, which is it.</summary>
    public IPAddress? Local => HasLocal ? PeerAddress.ToAddress(LocalHigh, LocalLow, 0) : null;

    internal ulong LocalHigh { get; }

    internal ulong LocalLow { get; }

    internal int Interface { get; }

    /// <summary>Bytes on the wire, headers included, that may still be sent in answer.</summary>
    internal int Budget { get; }

    internal bool HasLocal => (LocalHigh | LocalLow) != 0;
}

namespace Perch.Datagrams;

/// <summary>Which port a session talks from.</summary>
public enum SessionPort
{
    /// <summary>A port of its own, which the system chooses, at the address that was asked: what TFTP calls a transfer identifier.</summary>
    Own,

    /// <summary>The endpoint's: one port passes through NAT and a container's published ports. It hears its peer only.</summary>
    Endpoint,
}

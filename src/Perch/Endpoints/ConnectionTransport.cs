namespace Perch.Endpoints;

/// <summary>What carries the connections of TCP and Unix sockets.</summary>
internal enum ConnectionTransport
{
    /// <summary>The direct one, on Linux; elsewhere Kestrel's.</summary>
    Direct,

    /// <summary>Kestrel's own transport.</summary>
    Sockets,
}

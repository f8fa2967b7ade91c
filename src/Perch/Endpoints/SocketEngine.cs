namespace Perch.Endpoints;

/// <summary>The implementation that accepts and serves the connections of TCP and Unix-socket endpoints.</summary>
internal enum SocketEngine
{
    /// <summary>Perch's own transport on Linux; Kestrel's transport on other systems.</summary>
    Direct,

    /// <summary>Kestrel's socket transport.</summary>
    Kestrel,
}

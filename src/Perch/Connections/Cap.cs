namespace Perch.Connections;

/// <summary>The cap that has rejected a connection.</summary>
internal enum Cap : byte
{
    /// <summary>No cap has.</summary>
    None,

    /// <summary><c>Perch:MaxConnections</c>.</summary>
    Total,

    /// <summary><c>MaxConnections</c> of the endpoint's guards.</summary>
    Endpoint,

    /// <summary>The threads of a blocking handler: its <c>MaxThreads</c>, or a limit of the system.</summary>
    Threads,
}

internal static class CapExtensions
{
    /// <returns>The name for log and status: the key of the cap if it has one; null for <see cref="Cap.None"/>.</returns>
    public static string? Name(this Cap cap) => cap switch
    {
        Cap.Total => "Perch:MaxConnections",
        Cap.Endpoint => "MaxConnections",
        Cap.Threads => "Threads",
        _ => null,
    };
}

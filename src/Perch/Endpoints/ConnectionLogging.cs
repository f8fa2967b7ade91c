namespace Perch.Endpoints;

/// <summary>The log lines that an endpoint writes for each connection.</summary>
internal enum ConnectionLogging
{
    /// <summary>One line when the connection ends.</summary>
    Ended,

    /// <summary>One line when the connection is admitted, and one when it ends.</summary>
    Both,

    /// <summary>No line, unless the connection ends with an outcome of level Warning or Error.</summary>
    None,
}

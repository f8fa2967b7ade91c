namespace Perch.Cli.Bench;

/// <summary>What the load does.</summary>
internal enum BenchMode
{
    /// <summary>Messages that come back; every byte is compared.</summary>
    Echo,

    /// <summary>Lines, each answered with a line that begins with OK.</summary>
    Line,

    /// <summary>Connect, send a message, read it back, close.</summary>
    Connect,

    /// <summary>Open connections and keep them; a part of them echoes a message each second.</summary>
    Hold,

    /// <summary>Bytes as fast as they go.</summary>
    Stream,

    /// <summary>Datagrams that come back.</summary>
    Udp,
}

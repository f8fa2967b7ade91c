using System.Text.Json;

namespace Perch.Benchmarks;

/// <summary>
/// Perch's appsettings.json: the whole pipeline with its defaults, guards, telemetry and logging. The echo has no prefix and takes
/// what one read returned (up to 64 KiB) as a message: byte for byte what the other servers do. Only the line that the
/// log has for each connection is off, since no other server writes one.
/// </summary>
internal static class ServerSettings
{
    private static readonly object Record = new { Port = 0, Protocol = "record", Options = new { Framing = "Line", Ack = "OK {id}\n" } };

    /// <param name="name">One of <see cref="ServerCommand.Names"/>.</param>
    /// <param name="patient">Whether a connection may be idle for an hour, before its first byte too.</param>
    public static string Create(string name, bool patient) => JsonSerializer.Serialize(new
    {
        Perch = HostKeys(name, patient),
        Kestrel = new { Endpoints = new { Admin = new { Url = "http://127.0.0.1:0" } } },
        Serilog = new { MinimumLevel = new { Override = new Dictionary<string, string> { ["Perch.Connections"] = "Warning" } } },
    });

    private static Dictionary<string, object> HostKeys(string name, bool patient)
    {
        var keys = new Dictionary<string, object> { ["Endpoints"] = Endpoints(name), ["Defaults"] = new { Guards = Guards(patient) } };
        // An earlier build has its own name for this key; its default is the direct transport.
        if (!ServerCommand.IsBefore(name))
            keys["SocketEngine"] = name is "perch-files" || name.StartsWith("perch-direct", StringComparison.Ordinal) ? "Direct" : "Kestrel";
        return keys;
    }

    /// <summary>The cap is on, and higher than any load.</summary>
    private static Dictionary<string, object> Guards(bool patient)
    {
        var guards = new Dictionary<string, object> { ["MaxConnections"] = 1_000_000 };
        if (patient) (guards["FirstByteTimeout"], guards["IdleTimeout"]) = ("01:00:00", "01:00:00");
        return guards;
    }

    private static Dictionary<string, object> Endpoints(string name) => name switch
    {
        "perch-discard" => new() { ["bench"] = new { Port = 0, Protocol = "discard" } },
        "perch-record" or ServerCommand.DirectRecord or ServerCommand.BeforeRecord => new() { ["bench"] = Record, ["other"] = Record },
        "perch-flood" => new()
        {
            ["bench"] = new { Port = 0, Protocol = "echo", Options = new { Prefix = "" } },
            ["flooded"] = new { Port = 0, Transport = "Udp", Protocol = "echo", Options = new { Prefix = "" } },
        },
        "perch-files" => new() { ["bench"] = new { Port = 0, Protocol = "files" } },
        // The rate of replies is looked up all the same; every client here is one source.
        "perch-udp" => new()
        {
            ["bench"] = new
            {
                Port = 0,
                Transport = "Udp",
                Protocol = "echo",
                Guards = new { RepliesPerSecond = 100_000_000 },
                Options = new { Prefix = "", MaxMessageBytes = 65535 },
            },
        },
        _ => new() { ["bench"] = Echo(name, 65536) },
    };

    public static object Echo(string name, int maxMessageBytes) => new
    {
        Port = 0,
        Protocol = name.Replace(ServerCommand.Before, "perch", StringComparison.Ordinal).Replace("-direct", "", StringComparison.Ordinal).Replace("perch", "echo", StringComparison.Ordinal),
        Options = new { Prefix = "", MaxMessageBytes = maxMessageBytes },
    };
}

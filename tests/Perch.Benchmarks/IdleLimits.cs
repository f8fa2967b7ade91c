namespace Perch.Benchmarks;

/// <summary>What the machine has to allow for so many connections, both ends of which are on it.</summary>
internal static class IdleLimits
{
    /// <summary>Descriptors of a process that are not connections.</summary>
    private const int Others = 200;

    /// <summary>The system takes 9 KiB for both sockets (Linux 6.18, 64 bits); the rest is for the server's process, with room.</summary>
    private const int BytesOfConnection = 20 * 1024;

    /// <summary>Most connections that one process can hold.</summary>
    public static int OfProcess => (int)Math.Min(int.MaxValue, ProcFile.Number("/proc/self/limits", "Max open files", column: 1)) - Others;

    /// <summary>The limits that are too low for so many connections, each with what it has to be.</summary>
    public static IEnumerable<string> Missing(int connections)
    {
        IEnumerable<(string Name, long Allowed, long Needed)> limits =
        [
            ("the server's limit of open files (ulimit -Hn, which fs.nr_open bounds)", OfProcess + Others, connections + Others),
            ("fs.file-max", ProcFile.Number("/proc/sys/fs/file-max", ""), 2L * connections + Others),
            .. Tracked("nf_conntrack_max", connections),
            ("free memory in bytes", ProcFile.Number("/proc/meminfo", "MemAvailable:") * 1024, (long)connections * BytesOfConnection),
        ];
        return limits.Where(limit => limit.Allowed < limit.Needed).Select(limit => $"{limit.Name} is {limit.Allowed:N0} and has to be {limit.Needed:N0}");
    }

    private static IEnumerable<(string Name, long Allowed, long Needed)> Tracked(string name, int connections)
    {
        var path = $"/proc/sys/net/netfilter/{name}";
        if (File.Exists(path)) yield return ($"net.netfilter.{name}", ProcFile.Number(path, ""), connections + (connections / 4));
    }
}

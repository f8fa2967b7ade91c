using System.Diagnostics;
using System.Globalization;

namespace Perch.Benchmarks;

/// <summary>
/// Where the system tracks connections (netfilter), each stays in its table for a while after its end, and a full table drops
/// packets of the whole machine. So a case that makes many waits until there is room.
/// </summary>
internal static class ConnectionTracking
{
    /// <summary>More than any server takes on one processor.</summary>
    private const int MostPerSecond = 40_000;

    private const string Folder = "/proc/sys/net/netfilter/";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    /// <exception cref="InvalidOperationException">There is never enough room.</exception>
    public static async Task WaitForRoomAsync(TimeSpan load)
    {
        if (!File.Exists(Folder + "nf_conntrack_max")) return;
        var (most, needed) = (Read("nf_conntrack_max"), (int)((load.TotalSeconds + 1) * MostPerSecond));
        for (var started = Stopwatch.GetTimestamp(); Read("nf_conntrack_count") + needed > most * 0.9;)
        {
            if (Stopwatch.GetElapsedTime(started) > Limit) throw new InvalidOperationException($"connection tracking has no room for {needed} connections: raise net.netfilter.nf_conntrack_max, now {most}");
            await Task.Delay(TimeSpan.FromSeconds(1));
        }
    }

    private static int Read(string name) => int.Parse(File.ReadAllText(Folder + name), CultureInfo.InvariantCulture);
}

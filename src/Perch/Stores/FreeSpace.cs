using System.Diagnostics.Metrics;

namespace Perch.Stores;

/// <summary>Free bytes of the disk that has a store.</summary>
public static class FreeSpace
{
    /// <summary>Measures at each scrape.</summary>
    /// <param name="path">The full path of the store, which need not exist yet.</param>
    /// <returns>One measurement; none if the system does not report it.</returns>
    public static IEnumerable<Measurement<long>> Of(string path)
    {
        var folder = path;
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { Length: > 0 } parent)
            folder = parent;
        try
        {
            return [new(new DriveInfo(folder).AvailableFreeSpace)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return [];
        }
    }
}

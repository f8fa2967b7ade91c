using System.Globalization;

namespace Perch.Diagnostics;

/// <summary>The process's open files and their limit, from <c>/proc</c> (proc(5)); other systems do not tell.</summary>
public static class FileDescriptors
{
    /// <summary>Left over for logs, stores, the admin endpoint and the runtime.</summary>
    private const int Reserve = 256;

    private const int UnknownLimit = 10_000;

    /// <summary>The soft limit of open files, or null where the system does not tell.</summary>
    public static int? Limit()
    {
        const string Label = "Max open files";
        if (!OperatingSystem.IsLinux()) return null;
        var line = File.ReadLines("/proc/self/limits").FirstOrDefault(l => l.StartsWith(Label, StringComparison.Ordinal));
        var soft = line?[Label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return int.TryParse(soft, CultureInfo.InvariantCulture, out var limit) ? limit : null;
    }

    /// <summary>The number of open files, or null where the system does not tell.</summary>
    public static int? Open() => OperatingSystem.IsLinux() ? Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() : null;

    /// <summary>How many connections the limit leaves room for.</summary>
    internal static int ConnectionCapacity() => Math.Max(64, (Limit() ?? UnknownLimit) - Reserve);
}

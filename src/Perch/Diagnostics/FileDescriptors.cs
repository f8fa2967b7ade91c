using System.IO.Enumeration;

namespace Perch.Diagnostics;

/// <summary>The process's open files and their limit, from <c>/proc</c> (proc(5)); other systems do not tell.</summary>
public static class FileDescriptors
{
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = FileAttributes.None };

    /// <summary>The soft limit of open files, or null where there is none or the system does not tell.</summary>
    public static long? Limit() => OperatingSystem.IsLinux() ? ProcFile.Field("/proc/self/limits", "Max open files") : null;

    /// <summary>The number of open files, or null where the system does not tell. Cheap enough for a readiness check.</summary>
    public static long? Open()
    {
        if (!OperatingSystem.IsLinux()) return null;
        return OpenBySize() is > 0 and var count ? count : OpenByEntries();
    }

    // Since Linux 6.2 the folder's size is the count. Enumerating is the only way to stat a folder from .NET, and the
    // enumeration holds a descriptor itself, here as below.
    internal static long OpenBySize()
    {
        var folder = new FileSystemEnumerable<long>("/proc/self", static (ref FileSystemEntry entry) => entry.Length, Everything)
        {
            ShouldIncludePredicate = static (ref FileSystemEntry entry) => entry.FileName is "fd",
        };
        return folder.FirstOrDefault() - 1;
    }

    // Some eight microseconds an entry: with 10,000 connections a scrape would notice.
    internal static long OpenByEntries() =>
        new FileSystemEnumerable<bool>("/proc/self/fd", static (ref FileSystemEntry _) => true, Everything).LongCount() - 1;
}

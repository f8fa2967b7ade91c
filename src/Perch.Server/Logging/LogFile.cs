namespace Perch.Server.Logging;

/// <summary>
/// Tests whether a file of a log can be written, without creating the file: a rolling file gets its name when it is opened.
/// </summary>
internal static class LogFile
{
    /// <param name="path">
    /// The path as Serilog takes it: relative to the current folder. Folders that do not exist are created later.
    /// </param>
    public static bool CanWrite(string path)
    {
        try
        {
            var full = Path.GetFullPath(path);
            if (File.Exists(full))
                File.OpenHandle(full, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete).Dispose();
            else
                ProbeFolder(Path.GetDirectoryName(full) ?? full);
            return true;
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>Creates a file in the nearest folder that exists, and removes it.</summary>
    private static void ProbeFolder(string folder)
    {
        while (!Path.Exists(folder))
            folder = Path.GetDirectoryName(folder)!;
        var probe = Path.Combine(folder, $".perch-{Guid.NewGuid():N}");
        new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose).Dispose();
    }
}

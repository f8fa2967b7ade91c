namespace Perch.Stores;

/// <summary>
/// Access rights of the files and folders that the stores create: the owner writes, the group reads, and other users of the machine get
/// nothing. The umask of the process can remove more. Systems without Unix file modes have their own rules.
/// </summary>
public static class DataModes
{
    /// <summary>0750.</summary>
    public const UnixFileMode Folder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;

    /// <summary>0640.</summary>
    public const UnixFileMode File = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    private const UnixFileMode Wider = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Creates a folder, and those above it that do not exist.</summary>
    /// <exception cref="IOException">It cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">It cannot be created.</exception>
    public static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, Folder);
    }

    /// <summary>Creates an empty file for a library that would create it with rights of its own. A file that exists is not opened.</summary>
    /// <remarks>An error is not reported here: the library finds the same one, and its text has the cure.</remarks>
    public static void TryCreateFile(string path)
    {
        if (OperatingSystem.IsWindows() || System.IO.File.Exists(path))
            return;
        try
        {
            new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
                UnixCreateMode = File,
            }).Dispose();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The library reports it.
        }
    }

    /// <returns>True if the file or folder exists and grants more than a new one does.</returns>
    public static bool IsWider(string path)
    {
        if (OperatingSystem.IsWindows())
            return false;
        try
        {
            return (System.IO.File.GetUnixFileMode(path) & Wider) != UnixFileMode.None;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It does not exist, or the process may not look at it: the store reports that.
            return false;
        }
    }
}

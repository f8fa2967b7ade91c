using Microsoft.Win32.SafeHandles;
using Perch.Stores;

namespace Perch.Records.Sqlite;

/// <summary>
/// The lock that keeps a database file to one Perch process: an exclusive lock (flock(2) on Unix) on a file beside the database. The
/// system releases it when the process ends, however it ends. SQLite does not know the lock, so other programs may still read and write.
/// </summary>
/// <remarks>A file of its own: a close of any descriptor of the database would release SQLite's own locks (fcntl(2)).</remarks>
internal static class SqliteLock
{
    private const string Suffix = "-lock";

    private const int WouldBlockOnLinux = 11;
    private const int WouldBlockOnBsd = 35;
    private const int SharingViolationOnWindows = unchecked((int)0x80070020);

    /// <summary>Takes the lock, without waiting for it.</summary>
    /// <param name="path">Path of the database; a symbolic link is resolved as SQLite does.</param>
    /// <returns>The lock, until it is disposed.</returns>
    /// <exception cref="RecordStoreException">Another process has it, or its file cannot be created.</exception>
    public static SafeFileHandle Take(string path)
    {
        var file = (File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) + Suffix;
        try
        {
            DataModes.TryCreateFile(file);
            return File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception) when (IsHeld(exception))
        {
            throw new RecordStoreException("unavailable",
                $"{path} is in use by another Perch process, which 'fuser {file}' names. A SQLite file belongs to one process: "
                + "give this process another Perch:Records:Path, or set Perch:Records:Store to Postgres in each.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RecordStoreException("unavailable",
                $"{file} cannot be locked: {exception.Message} The process must be allowed to create and write that file.", exception);
        }
    }

    private static bool IsHeld(IOException exception) => OperatingSystem.IsWindows()
        ? exception.HResult == SharingViolationOnWindows
        : exception.HResult is WouldBlockOnLinux or WouldBlockOnBsd;
}

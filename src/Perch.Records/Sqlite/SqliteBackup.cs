using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;

namespace Perch.Records.Sqlite;

/// <summary>A consistent copy of a database of records, also while a server writes to it.</summary>
/// <remarks>
/// The copy has every record that was acknowledged before it began (<c>VACUUM INTO</c>: one read transaction, and no log beside the
/// copy). The server's log grows by the records that arrive meanwhile.
/// </remarks>
internal static class SqliteBackup
{
    private const string Unfinished = ".partial";

    private static readonly TimeSpan BusyTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Copies the database. The target has its name only after the copy is complete, verified and durable.</summary>
    /// <param name="source">Path of the database.</param>
    /// <param name="target">Path of the copy; on Unix its mode is 0640, less the umask.</param>
    /// <returns>The number of records in the copy.</returns>
    /// <exception cref="RecordStoreException">
    /// The database cannot be read, the target exists or cannot be written, or the copy is not a valid database.
    /// </exception>
    public static long Copy(string source, string target)
    {
        var unfinished = target + Unfinished;
        if (Path.Exists(target))
            throw new RecordStoreException("exists", $"{target} exists. Name a file that does not exist.");
        if (!File.Exists(source))
            throw new RecordStoreException("unavailable", $"{source} does not exist: there is nothing to copy. Perch:Records:Path names the database.");

        Create(unfinished);
        try
        {
            CopyTo(source, unfinished);
            var records = Verify(unfinished);
            Publish(unfinished, target);
            return records;
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }

    /// <summary>Creates the empty file. A second backup to the same target fails here.</summary>
    private static void Create(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        try
        {
            using var file = new FileStream(path, options);
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new RecordStoreException("exists", $"{path} exists: another backup writes it, or left it. Delete it if no backup runs.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RecordStoreException("unavailable", $"{path} cannot be created: {exception.Message}", exception);
        }
    }

    private static void CopyTo(string source, string target)
    {
        using var database = new SqliteDatabase(source, create: false, BusyTimeout);
        var copy = database.Prepare("VACUUM INTO ?");
        copy.BindText(1, target);
        copy.Run();
    }

    private static long Verify(string path)
    {
        using var copy = new SqliteDatabase(path, create: false, BusyTimeout);
        if (copy.Query("PRAGMA quick_check(1)") is not "ok" and var fault)
            throw new RecordStoreException("corrupt", $"The copy of the database is faulty: {fault}. The database itself may be: 'sqlite3 FILE .recover' saves what is readable.");
        return copy.QueryInt64("SELECT count(*) FROM logs");
    }

    private static void Publish(string unfinished, string target)
    {
        try
        {
            using (var file = File.OpenHandle(unfinished, FileMode.Open, FileAccess.ReadWrite))
                RandomAccess.FlushToDisk(file);
            File.Move(unfinished, target, overwrite: false);
            if (OperatingSystem.IsLinux())
                FlushFolder(Path.GetDirectoryName(target)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or Win32Exception)
        {
            throw new RecordStoreException("unavailable", $"{target} cannot be written: {exception.Message}", exception);
        }
    }

    /// <summary>Makes the new name in the folder durable.</summary>
    private static void FlushFolder(string path)
    {
        using var folder = new SafeFileHandle(Posix.Open(path, Posix.Flags.Folder | Posix.CloseOnExec, 0), ownsHandle: true);
        if (folder.IsInvalid || Posix.Sync(folder) != 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError());
    }
}

using SQLitePCL;

namespace Perch.Records.Sqlite;

/// <summary>What SQLite's result codes mean to a sender, and to the operator with the cure.</summary>
internal static class SqliteFailure
{
    /// <summary>More than the -shm file grows by at once (32 KiB).</summary>
    private const long RoomBytes = 1024 * 1024;

    /// <param name="path">The database's file.</param>
    /// <param name="result">SQLite's extended result code.</param>
    /// <param name="message">SQLite's own words.</param>
    public static RecordStoreException From(string path, int result, string message) =>
        From(path, result, message, hasRoom: result != raw.SQLITE_IOERR_SHMSIZE || HasRoom(path));

    /// <param name="path">The database's file.</param>
    /// <param name="result">SQLite's extended result code.</param>
    /// <param name="message">SQLite's own words.</param>
    /// <param name="hasRoom">
    /// Whether the disk has room. SQLite has one code for a -shm file that a full disk cannot extend and one that a broken disk cannot.
    /// </param>
    internal static RecordStoreException From(string path, int result, string message, bool hasRoom)
    {
        var (code, cure) = Explain(result, hasRoom);
        return new(code, $"{path}: {message} (SQLite {result}). {cure}");
    }

    private static (string Code, string Cure) Explain(int result, bool hasRoom) => result == raw.SQLITE_IOERR_SHMSIZE && !hasRoom
        ? Full
        : (result & 0xFF) switch
        {
            raw.SQLITE_BUSY or raw.SQLITE_LOCKED => ("busy", "Another process holds the database locked; end its transaction."),
            raw.SQLITE_FULL => Full,
            raw.SQLITE_READONLY or raw.SQLITE_PERM => ("read-only", "The process must be allowed to write the file and its folder, and the file system must not be mounted read-only."),
            raw.SQLITE_CANTOPEN => ("unavailable", "The path must name a file, or nothing yet, in a folder that the process may write."),
            raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => ("corrupt", "Stop, move the file and its -wal and -shm away together, and restore a copy or start with a new one; 'sqlite3 <file> .recover' saves what is readable."),
            raw.SQLITE_IOERR => ("unavailable", "The disk failed to read, write or sync; see the kernel's log."),
            _ => ("unavailable", "See SQLite's result codes."),
        };

    private static bool HasRoom(string path)
    {
        try
        {
            return new DriveInfo(path).AvailableFreeSpace >= RoomBytes;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    private static readonly (string, string) Full = ("full", "The disk, or the quota, has no room; free some, or shorten Perch:Records:Retention.");
}

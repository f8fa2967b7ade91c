using Microsoft.Win32.SafeHandles;
using Perch.Stores;

namespace Perch.Records.Sqlite;

/// <summary>The connection that writes, from its opening to the first failure that leaves it in doubt.</summary>
internal sealed class SqliteWriter : IDisposable
{
    /// <summary>
    /// Bytes that the log keeps after it was brought into the file. It grows beyond them while another process reads, and
    /// without a limit it would keep its largest size until the restart. A log of 4,000 pages has 16 MiB.
    /// </summary>
    public const int MaxIdleLogBytes = 64 * 1024 * 1024;

    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _probe;
    private readonly SafeFileHandle _lock;

    private SqliteWriter(SqliteDatabase database, SafeFileHandle fileLock, RecordsOptions options, TimeProvider time, RetentionClock retention)
    {
        (_database, _lock) = (database, fileLock);
        _probe = database.Prepare("UPDATE state SET probed_at = ?1");
        Appender = new(database, options.DeduplicateWindow);
        Trimmer = new(database, options, time, retention);
    }

    public SqliteAppender Appender { get; }

    public SqliteTrimmer Trimmer { get; }

    public SqliteDatabase Database => _database;

    /// <summary>
    /// Opens the file and makes what is missing. Where it is suspect, a sync may have failed since the log was last brought
    /// into the file: the system may then show what it has not written and never will. So the log must be brought in,
    /// which writes all of it anew, before it grows.
    /// </summary>
    public static SqliteWriter Open(
        string path, RecordsOptions options, TimeProvider time, RetentionClock retention, TimeSpan busyTimeout, bool isSuspect, out long migratedFrom)
    {
        CreateFolder(path);
        // SQLite gives the log and the index the mode of the database.
        DataModes.TryCreateFile(path);
        var database = new SqliteDatabase(path, create: true, busyTimeout);
        SafeFileHandle? fileLock = null;
        try
        {
            SqliteSchema.Verify(database);
            if (database.IsReadOnly) throw SqliteFailure.From(path, SQLitePCL.raw.SQLITE_READONLY, "the file cannot be written");
            var mode = database.Query("PRAGMA journal_mode = WAL");
            if (mode != "wal") throw new RecordStoreException("unavailable", $"{path}: the file system does not allow SQLite's write-ahead log (its mode is {mode}). Use a local disk.");
            fileLock = SqliteLock.Take(path);
            database.Execute("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 4000; " +
                $"PRAGMA cache_size = -16384; PRAGMA journal_size_limit = {MaxIdleLogBytes}");
            migratedFrom = SqliteSchema.Migrate(database);
            if (database.QueryInt64("PRAGMA wal_checkpoint(TRUNCATE)") != 0 && isSuspect)
                throw SqliteFailure.From(path, SQLitePCL.raw.SQLITE_BUSY, "the log cannot be brought into the file, which must be after a failed sync");
            database.RememberLog();
            return new(database, fileLock, options, time, retention);
        }
        catch
        {
            database.Dispose();
            fileLock?.Dispose();
            throw;
        }
    }

    /// <summary>Stores, and makes sure that it is the file of that name that has it.</summary>
    public void Append(IReadOnlyList<RecordBatch> batches)
    {
        Appender.Append(batches);
        EnsureInPlace();
    }

    /// <summary>A small write, so that a full disk shows too.</summary>
    public void Probe(DateTimeOffset now)
    {
        _probe.Bind(1, SqliteTime.From(now));
        _probe.Run();
        EnsureInPlace();
    }

    public void Dispose()
    {
        _database.Dispose();
        _lock.Dispose();
    }

    private void EnsureInPlace()
    {
        if (!_database.IsInPlace)
            throw new RecordStoreException("unavailable", $"{_database.Path} or the -wal beside it was deleted or replaced while it was open. The file that is there now is opened, or a new one made; stop Perch before moving them.");
    }

    private static void CreateFolder(string path)
    {
        try
        {
            DataModes.CreateFolder(Path.GetDirectoryName(path)!);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RecordStoreException("unavailable", $"{path}: its folder cannot be made: {exception.Message}. Make it, and let the process write there.", exception);
        }
        if (Directory.Exists(path)) throw new RecordStoreException("unavailable", $"{path} is a folder. Perch:Records:Path must name a file.");
    }
}

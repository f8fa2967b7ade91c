using System.Runtime.InteropServices;
using Perch.Linux;
using SQLitePCL;

namespace Perch.Records.Sqlite;

/// <summary>A connection to the file, for one thread at a time, that says failures as <see cref="RecordStoreException"/>.</summary>
internal sealed partial class SqliteDatabase : IDisposable
{
    /// <summary>SQLITE_FCNTL_HAS_MOVED.</summary>
    private const int HasMovedControl = 20;

    private readonly List<SqliteStatement> _statements = [];
    private readonly string _log;
    private readonly sqlite3 _handle;
    private ulong _logInode;

    static SqliteDatabase() => Batteries_V2.Init();

    /// <param name="path">In full.</param>
    /// <param name="create">Whether a file that is not there is made.</param>
    /// <param name="busyTimeout">How long it waits for a lock.</param>
    public SqliteDatabase(string path, bool create, TimeSpan busyTimeout)
    {
        (Path, _log) = (path, path + "-wal");
        var result = raw.sqlite3_open_v2(path, out _handle, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX | (create ? raw.SQLITE_OPEN_CREATE : 0), vfs: null);
        try
        {
            Check(result);
            _ = raw.sqlite3_extended_result_codes(_handle, 1);
            Check(raw.sqlite3_busy_timeout(_handle, (int)busyTimeout.TotalMilliseconds));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Version of the SQLite that the package provides, such as 3.53.4.</summary>
    public static string LibraryVersion => raw.sqlite3_libversion().utf8_to_string();

    public string Path { get; }

    public bool IsReadOnly => raw.sqlite3_db_readonly(_handle, "main") == 1;

    /// <summary>Rows that the last statement changed.</summary>
    public int Changes => raw.sqlite3_changes(_handle);

    /// <summary>
    /// True if the path still names this file, and the log beside it is the one of <see cref="RememberLog"/>. The open log keeps its
    /// inode, so a log that replaced it has a different one. On systems other than Linux the log only has to exist.
    /// </summary>
    public bool IsInPlace => !HasMoved() && (OperatingSystem.IsLinux() ? Posix.InodeOf(_log) is var inode and not 0 && inode == _logInode : File.Exists(_log));

    /// <summary>Called after the first read or write, with which SQLite opens the log.</summary>
    public void RememberLog() => _logInode = OperatingSystem.IsLinux() ? Posix.InodeOf(_log) : 0;

    public SqliteStatement Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v2(_handle, sql, out var handle));
        var statement = new SqliteStatement(this, handle);
        _statements.Add(statement);
        return statement;
    }

    public void Execute(string sql) => Check(raw.sqlite3_exec(_handle, sql));

    /// <summary>The first column of the first row, as text.</summary>
    public string Query(string sql)
    {
        Check(raw.sqlite3_prepare_v2(_handle, sql, out var handle));
        var statement = new SqliteStatement(this, handle);
        try
        {
            return statement.Step() ? statement.Text(0) : "";
        }
        finally
        {
            statement.End();
        }
    }

    public long QueryInt64(string sql) => long.TryParse(Query(sql), out var value) ? value : 0;

    /// <summary>Ends the transaction, if there is one, with nothing stored.</summary>
    public void Rollback()
    {
        foreach (var statement in _statements)
        {
            statement.Reset();
            statement.Unbind();
        }
        if (raw.sqlite3_get_autocommit(_handle) == 0) Execute("ROLLBACK");
    }

    public void Check(int result)
    {
        if (result != raw.SQLITE_OK) throw Fail(result);
    }

    public RecordStoreException Fail(int result)
    {
        var hasMessage = _handle is { IsInvalid: false } && (raw.sqlite3_extended_errcode(_handle) & 0xFF) == (result & 0xFF);
        return hasMessage
            ? SqliteFailure.From(Path, raw.sqlite3_extended_errcode(_handle), raw.sqlite3_errmsg(_handle).utf8_to_string())
            : SqliteFailure.From(Path, result, raw.sqlite3_errstr(result).utf8_to_string());
    }

    /// <summary>The last to close brings the log into the file and deletes it.</summary>
    public void Dispose()
    {
        _statements.ForEach(statement => statement.End());
        _statements.Clear();
        if (_handle is { IsInvalid: false, IsClosed: false }) _ = raw.sqlite3_close_v2(_handle);
    }

    /// <summary>True if the path names another file than the open one. Costs one <c>stat</c>.</summary>
    private bool HasMoved()
    {
        var moved = 0;
        return FileControl(_handle, 0, HasMovedControl, ref moved) == raw.SQLITE_OK && moved != 0;
    }

    /// <summary>The package has no managed method for this function of its library.</summary>
    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_file_control")]
    private static partial int FileControl(sqlite3 database, nint name, int operation, ref int value);
}

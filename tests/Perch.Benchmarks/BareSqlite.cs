using System.Diagnostics;
using System.Text;
using SQLitePCL;

namespace Perch.Benchmarks;

/// <summary>What the record store is measured against: the same rows, through the same library, without a network.</summary>
internal sealed class BareSqlite : IDisposable
{
    public const int MessageBytes = 100;

    private const string Insert = "INSERT INTO logs(received_at, endpoint, remote, data) VALUES (?, ?, ?, ?)";

    private static readonly byte[] Message = Encoding.ASCII.GetBytes(new string('x', MessageBytes));

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-bench-");
    private readonly string _path;

    public BareSqlite()
    {
        Batteries_V2.Init();
        _path = Path.Combine(_folder.FullName, "bare.db");
        using var database = Open();
        Run(database, "CREATE TABLE logs(id INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER NOT NULL, endpoint TEXT NOT NULL, remote TEXT NOT NULL, data TEXT NOT NULL, raw BLOB)");
    }

    /// <returns>Rows a second, in transactions of so many with one prepared statement.</returns>
    public double RowsPerSecond(TimeSpan span, int rowsOfTransaction)
    {
        using var database = Open();
        using var statement = Prepare(database);
        var (rows, started) = (0L, Stopwatch.GetTimestamp());
        while (Stopwatch.GetElapsedTime(started) < span)
        {
            Run(database, "BEGIN IMMEDIATE");
            for (var i = 0; i < rowsOfTransaction; i++) InsertRow(statement);
            Run(database, "COMMIT");
            rows += rowsOfTransaction;
        }

        return rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <returns>Rows a second as the tutorial stores them: open, insert, commit, close, in SQLite's default journal mode.</returns>
    public double TutorialRowsPerSecond(TimeSpan span)
    {
        var path = Path.Combine(_folder.FullName, "tutorial.db");
        var (rows, started) = (0L, Stopwatch.GetTimestamp());
        while (Stopwatch.GetElapsedTime(started) < span)
        {
            Check(raw.sqlite3_open(path, out var database));
            using (database)
            {
                Run(database, "CREATE TABLE IF NOT EXISTS logs(id INTEGER PRIMARY KEY, data TEXT)");
                Run(database, $"INSERT INTO logs(data) VALUES ('{Encoding.ASCII.GetString(Message)}')");
            }

            rows++;
        }

        return rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private sqlite3 Open()
    {
        Check(raw.sqlite3_open(_path, out var database));
        Run(database, "PRAGMA journal_mode=WAL");
        Run(database, "PRAGMA synchronous=FULL");
        return database;
    }

    private static sqlite3_stmt Prepare(sqlite3 database)
    {
        Check(raw.sqlite3_prepare_v2(database, Insert, out var statement));
        return statement;
    }

    private static void InsertRow(sqlite3_stmt statement)
    {
        Check(raw.sqlite3_bind_int64(statement, 1, 1_700_000_000_000_000));
        Check(raw.sqlite3_bind_text(statement, 2, "record-lines"u8));
        Check(raw.sqlite3_bind_text(statement, 3, "127.0.0.1:50000"u8));
        Check(raw.sqlite3_bind_text(statement, 4, Message));
        var result = raw.sqlite3_step(statement);
        if (result != raw.SQLITE_DONE) Check(result);
        Check(raw.sqlite3_reset(statement));
    }

    private static void Run(sqlite3 database, string sql) => Check(raw.sqlite3_exec(database, sql));

    private static void Check(int result)
    {
        if (result != raw.SQLITE_OK) throw new InvalidOperationException($"SQLite: {raw.sqlite3_errstr(result).utf8_to_string()}.");
    }
}

using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Perch.Stores;

namespace Perch.Records.Sqlite;

/// <summary>
/// Records in a file of this machine. A record is stored when its transaction is in the write-ahead log and the log is
/// synced (<c>journal_mode=WAL</c>, <c>synchronous=FULL</c>), and the path still names that file. One connection writes, on
/// a thread of its own; others read beside it.
/// </summary>
/// <remarks>
/// After a failure that is not a lock or a full disk the connection is closed and the next call opens anew. A batch that
/// failed in its sync may still be found stored, as after any commit whose answer was lost; it was not acknowledged.
/// </remarks>
internal sealed partial class SqliteRecordStore : IRecordStore
{
    private readonly string _path;
    /// <summary>The name for <c>Perch:Records:Store</c>.</summary>
    public const string StoreName = "Sqlite";

    private readonly RecordsOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<SqliteRecordStore> _logger;
    private readonly SqliteThread _thread = new();
    private readonly SqliteReaders _readers;
    private readonly RetentionClock _retention;

    // The thread's own.
    private SqliteWriter? _writer;
    private bool _isSuspect;

    /// <summary>Nothing is opened yet. The folder of the path is made when it is.</summary>
    public SqliteRecordStore(string path, RecordsOptions options, TimeProvider time, ILogger<SqliteRecordStore> logger)
        : this(path, options, time, logger, busyTimeout: TimeSpan.FromSeconds(2))
    {
    }

    /// <summary>With another time to wait for a lock, for tests.</summary>
    internal SqliteRecordStore(string path, RecordsOptions options, TimeProvider time, ILogger<SqliteRecordStore> logger, TimeSpan busyTimeout)
    {
        (_path, _options, _time, _logger, BusyTimeout) = (Path.GetFullPath(path), options, time, logger, busyTimeout);
        _readers = new(_path, busyTimeout, time);
        _retention = RetentionClock.OfThisMachine(time, logger);
        Log.LibraryLoaded(logger, SqliteDatabase.LibraryVersion);
    }

    /// <summary>SQLite has one writer at a time.</summary>
    public int Writers => 1;

    public bool IsShared => false;

    private TimeSpan BusyTimeout { get; }

    public Task OpenAsync(CancellationToken cancellationToken) => WriteAsync(_ => true, cancellationToken);

    public Task AppendAsync(IReadOnlyList<RecordBatch> batches, CancellationToken cancellationToken) => WriteAsync(
        writer =>
        {
            writer.Append(batches);
            return true;
        },
        cancellationToken);

    public Task ProbeAsync(CancellationToken cancellationToken) => WriteAsync(
        writer =>
        {
            writer.Probe(_time.GetUtcNow());
            return true;
        },
        cancellationToken);

    public async Task<int> TrimAsync(int most, CancellationToken cancellationToken)
    {
        if (_options.Retention is { MaxAge.Ticks: 0, MaxRows: 0 } && _options.DeduplicateWindow == TimeSpan.Zero) return 0;
        // Slice by slice, so that appends come in between.
        while (await WriteAsync(writer => writer.Trimmer.Count(), cancellationToken))
        {
        }
        return await WriteAsync(writer => writer.Trimmer.Trim(most), cancellationToken);
    }

    public async IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = query.After;
        if (query.Since is { } since) after = Math.Max(after, _readers.Read(reader => reader.Before(since, SinceSlack)));
        var page = new List<StoredRecord>();
        for (var (left, more) = (query.Limit, true); left > 0 && more; left -= page.Count)
        {
            page.Clear();
            more = _readers.Read(reader => reader.ReadPage(query, ref after, page, left, cancellationToken));
            foreach (var record in page) yield return record;
            await Task.Yield();
        }
    }

    public Task<long> LastIdAsync(CancellationToken cancellationToken) => Task.FromResult(_readers.Read(reader => reader.LastId()));

    /// <summary>The database and its write-ahead log.</summary>
    public Task<long?> SizeAsync(CancellationToken cancellationToken)
    {
        var (database, log) = (new FileInfo(_path), new FileInfo(_path + "-wal"));
        return Task.FromResult<long?>(database.Exists ? database.Length + (log.Exists ? log.Length : 0) : null);
    }

    public async Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken)
    {
        if (id < 1) return null;
        await foreach (var record in ReadAsync(new() { After = id - 1, Limit = 1 }, cancellationToken)) return record.Id == id ? record : null;
        return null;
    }

    public async ValueTask DisposeAsync()
    {
        _readers.Dispose();
        var closing = _thread.RunAsync(
            () =>
            {
                _writer?.Dispose();
                _writer = null;
                return true;
            },
            CancellationToken.None);
        await _thread.DisposeAsync();
        if (closing.IsCompleted) await closing;
    }

    /// <summary>Records are stored in another order than they were received in by no more than they may wait, and clocks are set a little.</summary>
    private TimeSpan SinceSlack => _options.Timeout + TimeSpan.FromMinutes(1);

    /// <summary>For tests: what the thread would do with its connection.</summary>
    internal Task OnWriterAsync(Action<SqliteDatabase> action) => WriteAsync(
        writer =>
        {
            action(writer.Database);
            return true;
        },
        CancellationToken.None);

    private Task<T> WriteAsync<T>(Func<SqliteWriter, T> write, CancellationToken cancellationToken) => _thread.RunAsync(() => Write(write), cancellationToken);

    private T Write<T>(Func<SqliteWriter, T> write)
    {
        try
        {
            return write(_writer ??= Open());
        }
        catch (Exception exception)
        {
            Recover(exception);
            if (exception is RecordStoreException) throw;
            throw new RecordStoreException("unavailable", $"{_path}: {exception.Message}", exception);
        }
    }

    private SqliteWriter Open()
    {
        var writer = SqliteWriter.Open(_path, _options, _time, _retention, BusyTimeout, _isSuspect, out var migratedFrom);
        _isSuspect = false;
        if (migratedFrom < SqliteSchema.Version) Log.Migrated(_logger, _path, migratedFrom, SqliteSchema.Version);
        Log.Opened(_logger, _path);
        return writer;
    }

    /// <summary>Ends the transaction, and the connection unless it is known to be good still.</summary>
    private void Recover(Exception failure)
    {
        var isGood = failure is RecordStoreException { Code: "busy" or "full" };
        try
        {
            _writer?.Database.Rollback();
        }
        catch (RecordStoreException)
        {
            isGood = false;
        }
        if (isGood || _writer is null) return;
        _isSuspect = true;
        // The readers first, so that the last to close is the writer.
        _readers.Renew();
        _writer.Dispose();
        _writer = null;
        Log.Closed(_logger, _path, failure.Message);
    }

    private static partial class Log
    {
        [LoggerMessage(4400, LogLevel.Information, "SQLite {Version} stores the records", EventName = "SqliteLibraryLoaded")]
        public static partial void LibraryLoaded(ILogger logger, string version);

        [LoggerMessage(4401, LogLevel.Information, "{Path} is open", EventName = "SqliteOpened")]
        public static partial void Opened(ILogger logger, string path);

        [LoggerMessage(4402, LogLevel.Information, "{Path} was brought from version {From} to {To}", EventName = "SqliteMigrated")]
        public static partial void Migrated(ILogger logger, string path, long from, int to);

        [LoggerMessage(4403, LogLevel.Warning, "{Path} is closed after a failure, and opened again by the next attempt: {Failure}", EventName = "SqliteClosedAfterFailure")]
        public static partial void Closed(ILogger logger, string path, string failure);
    }
}

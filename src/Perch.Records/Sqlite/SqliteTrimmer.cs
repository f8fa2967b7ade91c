using Perch.Stores;

namespace Perch.Records.Sqlite;

/// <summary>
/// Retention, in steps. What is due is at the front of the tables, where ids and so times are lowest; a step looks at no
/// more rows than it may delete. Records that a clock far ahead has stamped wait for their time, those behind them only
/// where there are more such than a step takes.
/// </summary>
/// <remarks>
/// The count of rows is the distance of the ids as long as that is within the bound. Ids have gaps where others have
/// deleted; so before anything is deleted for its number the rows are counted once, in slices, and again after another
/// process has written.
/// </remarks>
internal sealed class SqliteTrimmer(SqliteDatabase database, RecordsOptions options, TimeProvider time, RetentionClock retention)
{
    private const int CountSlice = 20_000;

    /// <summary>A step ends then at the latest: rows may be large, and appends wait.</summary>
    private static readonly TimeSpan LongestStep = TimeSpan.FromMilliseconds(50);

    private readonly SqliteStatement _lastId = database.Prepare(SqliteSchema.LastId);
    private readonly SqliteStatement _firstId = database.Prepare("SELECT coalesce(min(id), 0) FROM logs");
    private readonly SqliteStatement _dataVersion = database.Prepare("PRAGMA data_version");
    private readonly SqliteStatement _slice = database.Prepare("SELECT count(*), max(id) FROM (SELECT id FROM logs WHERE id > ?1 ORDER BY id LIMIT ?2)");
    private readonly Table _logs = new(database, "logs");
    private readonly Table _senders = new(database, "senders");

    private bool _counted;
    private long _rows;
    private long _countedTo;
    private long _countedVersion;

    /// <summary>One slice of counting.</summary>
    /// <returns>True where there is more to count before a trim.</returns>
    public bool Count()
    {
        if (options.Retention.MaxRows == 0) return false;
        var version = _dataVersion.Scalar();
        if (version != _countedVersion) (_counted, _rows, _countedTo, _countedVersion) = (false, 0, 0, version);
        if (_counted || _lastId.Scalar() - _firstId.Scalar() < options.Retention.MaxRows) return false;

        _slice.Bind(1, _countedTo);
        _slice.Bind(2, CountSlice);
        _ = _slice.Step();
        var (rows, to) = (_slice.Int64(0), _slice.Int64(1));
        _slice.Reset();
        _rows += rows;
        _counted = rows < CountSlice;
        // Above the last row there may be ids that were given and deleted.
        _countedTo = _counted ? _lastId.Scalar() : to;
        return !_counted;
    }

    /// <returns>How many records and keys it deleted.</returns>
    public int Trim(int most)
    {
        var (now, started) = (time.GetUtcNow(), time.GetTimestamp());
        var isSteady = retention.IsSteady(now);
        bool IsLong() => time.GetElapsedTime(started) > LongestStep;

        database.Execute("BEGIN IMMEDIATE");
        var records = 0;
        if (isSteady && options.Retention.MaxAge > TimeSpan.Zero)
            records = _logs.Delete(most, SqliteTime.Before(now, options.Retention.MaxAge), IsLong);
        if (_counted)
        {
            var over = _rows + (_lastId.Scalar() - _countedTo) - records - options.Retention.MaxRows;
            if (over > 0) records += _logs.Delete((int)Math.Min(over, most - records), long.MaxValue, IsLong);
        }
        var keys = isSteady && options.DeduplicateWindow > TimeSpan.Zero
            ? _senders.Delete(most, SqliteTime.Before(now, options.DeduplicateWindow), IsLong)
            : 0;
        database.Execute("COMMIT");
        _rows -= records;
        return records + keys;
    }

    /// <summary>The front of one table.</summary>
    private sealed class Table(SqliteDatabase database, string name)
    {
        private readonly SqliteStatement _front = database.Prepare($"SELECT id FROM (SELECT id, received_at FROM {name} ORDER BY id LIMIT ?1) WHERE received_at < ?2");
        private readonly SqliteStatement _delete = database.Prepare($"DELETE FROM {name} WHERE id = ?1");
        private readonly List<long> _due = [];

        public int Delete(int most, long before, Func<bool> isLong)
        {
            _due.Clear();
            _front.Bind(1, most);
            _front.Bind(2, before);
            while (_front.Step()) _due.Add(_front.Int64(0));
            var deleted = 0;
            foreach (var id in _due)
            {
                _delete.Bind(1, id);
                _delete.Run();
                deleted++;
                if (isLong()) break;
            }
            return deleted;
        }
    }
}

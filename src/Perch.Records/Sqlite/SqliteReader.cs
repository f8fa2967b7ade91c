namespace Perch.Records.Sqlite;

/// <summary>Reads in pages, beside the writer. A page holds a snapshot only as long as it is read, so the log can be brought in.</summary>
internal sealed class SqliteReader(SqliteDatabase database, TimeProvider time) : IDisposable
{
    /// <summary>Rows that a page looks at, whether the query asks for them or not.</summary>
    private const int PageRows = 1000;

    /// <summary>A page ends with the row that goes past this; a reader that is slow keeps the page in memory.</summary>
    private const int PageChars = 256 * 1024;

    private static readonly TimeSpan LongestPage = TimeSpan.FromMilliseconds(10);

    /// <summary>Every part in turn, the costly last: a row whose endpoint differs is not searched.</summary>
    private readonly SqliteStatement _page = database.Prepare("""
        SELECT id,
               CASE WHEN received_at < ?2 THEN 0 WHEN ?3 IS NOT NULL AND endpoint <> ?3 THEN 0 WHEN ?4 IS NOT NULL THEN instr(data, ?4) > 0 ELSE 1 END,
               received_at, endpoint, remote, data, raw
        FROM logs WHERE id > ?1 ORDER BY id
        """);
    private readonly SqliteStatement _at = database.Prepare("SELECT id, received_at FROM logs WHERE id >= ?1 ORDER BY id LIMIT 1");
    private readonly SqliteStatement _firstId = database.Prepare("SELECT coalesce(min(id), 0) FROM logs");
    private readonly SqliteStatement _lastId = database.Prepare("SELECT coalesce(max(id), 0) FROM logs");
    private readonly SqliteStatement _lastGivenId = database.Prepare(SqliteSchema.LastId);

    /// <summary>Whether it reads what the path names.</summary>
    public bool IsInPlace => database.IsInPlace;

    /// <summary>The last id that was given, also if its record is deleted; 0 before the first.</summary>
    public long LastId() => _lastGivenId.Scalar();

    /// <param name="query">The question.</param>
    /// <param name="after">Where the last page ended; moved to where this one does.</param>
    /// <param name="records">Takes what is found.</param>
    /// <param name="limit">The most to find.</param>
    /// <param name="cancellationToken">Looked at before every row.</param>
    /// <returns>False where there is no more.</returns>
    public bool ReadPage(RecordQuery query, ref long after, List<StoredRecord> records, int limit, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        _page.Bind(1, after);
        _page.Bind(2, query.Since is { } since ? SqliteTime.From(since) : long.MinValue);
        _page.BindText(3, query.Endpoint);
        _page.BindText(4, query.Contains);
        try
        {
            var chars = 0L;
            for (var rows = 0; rows < PageRows && records.Count < limit && chars < PageChars; rows++)
            {
                if (time.GetElapsedTime(started) >= LongestPage)
                    break;
                cancellationToken.ThrowIfCancellationRequested();
                if (!_page.Step()) return false;
                after = _page.Int64(0);
                if (_page.Int64(1) == 0)
                    continue;
                records.Add(new(after, SqliteTime.To(_page.Int64(2)), _page.Text(3), _page.Text(4), _page.Text(5), _page.Blob(6)));
                chars += records[^1].Data.Length + (records[^1].Raw?.Length ?? 0);
            }

            return true;
        }
        finally
        {
            _page.Reset();
            _page.Unbind();
        }
    }

    /// <summary>
    /// An id before every record of this time or later, found by halving: ids ascend as times do, but for the time that
    /// a record may wait, so there is no index to keep.
    /// </summary>
    public long Before(DateTimeOffset since, TimeSpan slack)
    {
        var from = SqliteTime.Before(since, slack);
        var (low, high) = (_firstId.Scalar() - 1, _lastId.Scalar());
        // Every record up to low is before it; above high there is none that we must find.
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            _at.Bind(1, middle);
            var isBefore = _at.Step() && _at.Int64(1) < from;
            _at.Reset();
            if (isBefore) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    public void Dispose() => database.Dispose();
}

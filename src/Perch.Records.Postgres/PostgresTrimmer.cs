using Npgsql;
using Perch.Stores;

namespace Perch.Records.Postgres;

/// <summary>One step of retention, by one process at a time.</summary>
internal sealed class PostgresTrimmer(PostgresOptions options, RetentionClock retention)
{
    /// <summary>"Prch" and a number.</summary>
    private const long Lock = 0x5072_6368_0000_0002;

    /// <summary>Rows that one step counts.</summary>
    private const int CountSlice = 100_000;

    /// <summary>The server's time, by which ages are measured; no row while another process trims.</summary>
    private const string LockedAt =
        "SELECT clock_timestamp() FROM (SELECT pg_try_advisory_xact_lock($1) AS is_mine) AS trimming WHERE is_mine";

    /// <summary>From the front: what is older than that, or whatever it is.</summary>
    private const string DeleteRecords = """
        DELETE FROM logs
         WHERE id = ANY(ARRAY(SELECT id FROM logs WHERE id <= $1 ORDER BY id LIMIT $2)) AND ($3::interval IS NULL OR received_at < now() - $3::interval)
        """;

    private const string DeleteKeys = """
        DELETE FROM perch_senders
         WHERE id = ANY(ARRAY(SELECT id FROM perch_senders ORDER BY id LIMIT $1)) AND received_at < now() - $2::interval
        """;

    private const string DeleteBatches = """
        DELETE FROM perch_batches
         WHERE id = ANY(ARRAY(SELECT id FROM perch_batches ORDER BY id LIMIT $1)) AND stored_at < now() - $2::interval
        """;

    /// <summary>Goes on from where the last count ended. What is deleted, by whomever, a trigger takes off.</summary>
    private const string Count = """
        WITH slice AS (
            SELECT count(*) AS rows, max(id) AS last
              FROM (SELECT id FROM logs WHERE id > (SELECT counted_to FROM perch_state) AND id <= $1 ORDER BY id LIMIT $2) AS uncounted)
        UPDATE perch_state SET counted_rows = counted_rows + slice.rows, counted_to = coalesce(slice.last, counted_to) FROM slice RETURNING slice.rows
        """;

    /// <returns>How many rows it deleted, and 1 more where it did not come to the end of its count.</returns>
    public async Task<int> TrimAsync(NpgsqlConnection connection, int most, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await connection.ScalarAsync<DateTime?>(LockedAt, cancellationToken, Lock) is not { } now) return 0;
        var isSteady = retention.IsSteady(new DateTimeOffset(now));
        var done = await TrimRecordsAsync(connection, most, isSteady, cancellationToken);
        if (isSteady && options.DeduplicateWindow > TimeSpan.Zero)
            done += await connection.ExecuteAsync(DeleteKeys, cancellationToken, most, options.DeduplicateWindow);
        // A batch is not tried any more when its time is over.
        if (isSteady)
            done += await connection.ExecuteAsync(DeleteBatches, cancellationToken, most, (options.Timeout * 2) + TimeSpan.FromMinutes(1));
        await transaction.CommitAsync(cancellationToken);
        return done;
    }

    private async Task<int> TrimRecordsAsync(NpgsqlConnection connection, int most, bool isSteady, CancellationToken cancellationToken)
    {
        var (maxAge, maxRows) = (options.Retention.MaxAge, options.Retention.MaxRows);
        if (maxAge == TimeSpan.Zero && maxRows == 0) return 0;
        var stable = await connection.ScalarAsync<long>("SELECT perch_stable()", cancellationToken);
        var done = 0;
        if (isSteady && maxAge > TimeSpan.Zero)
            done += await connection.ExecuteAsync(DeleteRecords, cancellationToken, stable, most, maxAge);
        if (maxRows == 0) return done;
        if (await connection.ScalarAsync<long>(Count, cancellationToken, stable, CountSlice) == CountSlice) done++;
        var over = await connection.ScalarAsync<long>("SELECT counted_rows - $1 FROM perch_state", cancellationToken, maxRows);
        if (over > 0) done += await connection.ExecuteAsync(DeleteRecords, cancellationToken, stable, Math.Min(over, most), null);
        return done;
    }
}

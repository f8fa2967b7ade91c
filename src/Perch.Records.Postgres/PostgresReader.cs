using System.Data;
using System.Runtime.CompilerServices;
using Npgsql;

namespace Perch.Records.Postgres;

/// <summary>Reads in pages, beside the writers. A page holds a connection only while it is read, however slow the one who asked is.</summary>
internal sealed class PostgresReader(NpgsqlDataSource source, TimeSpan sinceSlack)
{
    private const int PageRows = 1000;
    private const long PageBytes = 4 * 1024 * 1024;

    /// <summary>Ends with the row that goes past the bytes. The length of a text is known without reading it.</summary>
    private const string Page = """
        SELECT id, received_at, endpoint, remote, data, raw
          FROM (SELECT *, sum(octet_length(data) + coalesce(octet_length(raw), 0)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
                  FROM (SELECT *
                          FROM logs
                         WHERE id > $1 AND id <= $2 AND ($3::timestamptz IS NULL OR received_at >= $3) AND ($4::text IS NULL OR endpoint = $4)
                           AND ($5::text IS NULL OR position($5 IN data) > 0)
                         ORDER BY id
                         LIMIT $6) AS found) AS page
         WHERE coalesce(bytes_before, 0) < $7
         ORDER BY id
        """;

    public async IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (after, left) = (query.After, query.Limit);
        var stable = await StableIdAsync(cancellationToken);
        if (query.Since is { } since) after = Math.Max(after, await BeforeAsync(since, cancellationToken));
        var page = new List<StoredRecord>();
        while (left > 0)
        {
            page.Clear();
            await ReadPageAsync(query, after, stable, Math.Min(left, PageRows), page, cancellationToken);
            foreach (var record in page) yield return record;
            if (page.Count == 0) yield break;
            (after, left) = (page[^1].Id, left - page.Count);
        }
    }

    /// <summary>No record appears any more at this id or below.</summary>
    public async Task<long> StableIdAsync(CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await connection.ScalarAsync<long>("SELECT perch_stable()", cancellationToken);
    }

    public async Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var command = connection.Command("SELECT id, received_at, endpoint, remote, data, raw FROM logs WHERE id = $1", id);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? Read(reader) : null;
    }

    private async Task<long> BeforeAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        var from = since > DateTimeOffset.MinValue + sinceSlack ? since - sinceSlack : DateTimeOffset.MinValue;
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await connection.ScalarAsync<long>("SELECT perch_before($1)", cancellationToken, from.UtcDateTime);
    }

    private async Task ReadPageAsync(RecordQuery query, long after, long stable, int rows, List<StoredRecord> page, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var command = connection.Command(Page, after, stable, query.Since?.UtcDateTime, query.Endpoint, query.Contains, rows, PageBytes);
        // A search may look at every row; the one who asked ends it by leaving.
        command.CommandTimeout = 0;
        await using var reader = await command.ExecuteReaderAsync(CommandBehavior.SingleResult, cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) page.Add(Read(reader));
    }

    private static StoredRecord Read(NpgsqlDataReader reader) => new(
        reader.GetInt64(0), reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2), reader.GetString(3), reader.GetString(4),
        reader.IsDBNull(5) ? null : reader.GetFieldValue<byte[]>(5));
}

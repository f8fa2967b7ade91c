using System.Diagnostics;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Perch.Benchmarks;

/// <summary>What the PostgreSQL store is measured against: the same rows, through the same library, by COPY into a table of the same columns.</summary>
internal sealed class BarePostgres : IAsyncDisposable
{
    private static readonly ReadOnlyMemory<byte> Message = Encoding.ASCII.GetBytes(new string('x', BareSqlite.MessageBytes));

    private readonly NpgsqlConnection _connection;
    private long _lastId;

    private BarePostgres(NpgsqlConnection connection) => _connection = connection;

    public static async Task<BarePostgres> OpenAsync(string connectionString)
    {
        var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand(
            """
            DROP TABLE IF EXISTS bare_logs;
            CREATE TABLE bare_logs (id bigint PRIMARY KEY, received_at timestamptz NOT NULL, endpoint text NOT NULL, remote text NOT NULL, data text NOT NULL, raw bytea)
            """,
            connection);
        await create.ExecuteNonQueryAsync();
        return new(connection);
    }

    /// <returns>Rows a second, in transactions of so many.</returns>
    public async Task<double> RowsPerSecondAsync(TimeSpan span, int rowsOfTransaction)
    {
        var (rows, started) = (0L, Stopwatch.GetTimestamp());
        while (Stopwatch.GetElapsedTime(started) < span)
        {
            await CopyAsync(rowsOfTransaction);
            rows += rowsOfTransaction;
        }

        return rows / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    public async ValueTask DisposeAsync()
    {
        await using (var drop = new NpgsqlCommand("DROP TABLE bare_logs", _connection)) await drop.ExecuteNonQueryAsync();
        await _connection.DisposeAsync();
    }

    private async Task CopyAsync(int rows)
    {
        await using var transaction = await _connection.BeginTransactionAsync();
        await using (var copy = await _connection.BeginBinaryImportAsync("COPY bare_logs FROM STDIN (FORMAT BINARY)"))
        {
            var receivedAt = DateTime.UnixEpoch;
            for (var i = 0; i < rows; i++)
            {
                await copy.StartRowAsync();
                await copy.WriteAsync(++_lastId, NpgsqlDbType.Bigint);
                await copy.WriteAsync(receivedAt, NpgsqlDbType.TimestampTz);
                await copy.WriteAsync("record-lines", NpgsqlDbType.Text);
                await copy.WriteAsync("127.0.0.1:50000", NpgsqlDbType.Text);
                await copy.WriteAsync(Message, NpgsqlDbType.Text);
                await copy.WriteNullAsync();
            }

            await copy.CompleteAsync();
        }

        await transaction.CommitAsync();
    }
}

using Npgsql;
using NpgsqlTypes;

namespace Perch.Records.Postgres;

/// <summary>
/// Stores one group of batches in one transaction, however often it is tried: its id is stored in the transaction, and the
/// second try of one whose commit went through unnoticed finds it there. A transaction that hangs, left by its writer,
/// either ends before the next try goes on, or cannot commit any more.
/// </summary>
internal sealed class PostgresAppender
{
    private const string Copy = "COPY logs (id, received_at, endpoint, remote, data, raw) FROM STDIN (FORMAT BINARY)";

    private readonly Guid _id = Guid.CreateVersion7();
    private readonly IReadOnlyList<RecordBatch> _batches;
    private readonly TimeSpan? _window;
    private readonly int _count;
    private readonly RecordText _text = new();

    /// <param name="batches">The group.</param>
    /// <param name="window">How long keys are remembered; zero for ever.</param>
    public PostgresAppender(IReadOnlyList<RecordBatch> batches, TimeSpan window)
    {
        (_batches, _window) = (batches, window == TimeSpan.Zero ? null : window);
        foreach (var batch in batches) _count += batch.Count;
    }

    /// <summary>One try. When it returns the records are durable and have their ids.</summary>
    public async Task TryAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Null: the last try's commit went through, and the ids that it gave are right.
        if (await connection.ScalarAsync<long[]>("SELECT perch_begin($1, $2)", cancellationToken, _id, _count) is not { } ids) return;
        if (await ClaimAsync(connection, ids, cancellationToken) is var rows && rows > 0) await CopyAsync(connection, ids, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Gives every record its id: its own, or that of the one that had its key before.</summary>
    /// <returns>How many have their own, and so a row to be written.</returns>
    private async Task<int> ClaimAsync(NpgsqlConnection connection, long[] ids, CancellationToken cancellationToken)
    {
        var keys = new Keys();
        var next = 0;
        foreach (var batch in _batches)
        {
            for (var i = 0; i < batch.Count; i++, next++)
            {
                batch.SetId(i, ids[next]);
                if (!batch.Sender(i).IsEmpty) keys.Add(batch, i, ids[next]);
            }
        }

        if (keys.Ids.Count == 0) return _count;
        var claimed = await connection.ScalarAsync<long[]>("SELECT perch_claim($1, $2, $3, $4, $5::interval)", cancellationToken, keys.Senders, keys.Sequences, keys.Ids, keys.Times, _window);
        var rows = _count;
        for (var i = 0; i < claimed!.Length; i++)
        {
            if (claimed[i] == keys.Ids[i]) continue;
            keys.Places[i].Batch.SetId(keys.Places[i].Index, claimed[i]);
            rows--;
        }

        return rows;
    }

    private async Task CopyAsync(NpgsqlConnection connection, long[] ids, CancellationToken cancellationToken)
    {
        await using var rows = await connection.BeginBinaryImportAsync(Copy, cancellationToken);
        var next = 0;
        foreach (var batch in _batches)
        {
            var receivedAt = batch.ReceivedAt.UtcDateTime;
            for (var i = 0; i < batch.Count; i++, next++)
            {
                if (batch.Id(i) != ids[next]) continue;
                await rows.StartRowAsync(cancellationToken);
                await rows.WriteAsync(ids[next], NpgsqlDbType.Bigint, cancellationToken);
                await rows.WriteAsync(receivedAt, NpgsqlDbType.TimestampTz, cancellationToken);
                await rows.WriteAsync(batch.Endpoint, NpgsqlDbType.Text, cancellationToken);
                await rows.WriteAsync(batch.RemoteOf(i), NpgsqlDbType.Text, cancellationToken);
                await WriteMessageAsync(rows, batch.Message(i), cancellationToken);
            }
        }

        await rows.CompleteAsync(cancellationToken);
    }

    private async ValueTask WriteMessageAsync(NpgsqlBinaryImporter rows, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (RecordText.IsText(message.Span))
        {
            await rows.WriteAsync(message, NpgsqlDbType.Text, cancellationToken);
            await rows.WriteNullAsync(cancellationToken);
            return;
        }

        await rows.WriteAsync(_text.Replace(message.Span), NpgsqlDbType.Text, cancellationToken);
        await rows.WriteAsync(message, NpgsqlDbType.Bytea, cancellationToken);
    }

    /// <summary>The records of the group that have keys, column by column.</summary>
    private sealed class Keys
    {
        private string _sender = "";

        public List<string> Senders { get; } = [];

        public List<long> Sequences { get; } = [];

        public List<long> Ids { get; } = [];

        public List<DateTime> Times { get; } = [];

        public List<(RecordBatch Batch, int Index)> Places { get; } = [];

        public void Add(RecordBatch batch, int index, long id)
        {
            // What one sender sent at once needs its name once.
            if (!System.Text.Ascii.Equals(batch.Sender(index), _sender)) _sender = System.Text.Encoding.ASCII.GetString(batch.Sender(index));
            Senders.Add(_sender);
            Sequences.Add(batch.Sequence(index));
            Ids.Add(id);
            Times.Add(batch.ReceivedAt.UtcDateTime);
            Places.Add((batch, index));
        }
    }
}

using System.Text;

namespace Perch.Records.Sqlite;

/// <summary>Stores batches in a transaction. It allocates nothing per message: texts go to SQLite as the bytes that they are.</summary>
internal sealed class SqliteAppender(SqliteDatabase database, TimeSpan window)
{
    private readonly SqliteStatement _begin = database.Prepare("BEGIN IMMEDIATE");
    private readonly SqliteStatement _commit = database.Prepare("COMMIT");
    private readonly SqliteStatement _lastId = database.Prepare(SqliteSchema.LastId);
    private readonly SqliteStatement _insert = database.Prepare("INSERT INTO logs(received_at, endpoint, remote, id, data, raw) VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    private readonly SqliteStatement _claim = database.Prepare("INSERT INTO senders(received_at, id, sender, sequence) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(sender, sequence) DO NOTHING");
    private readonly SqliteStatement _first = database.Prepare("SELECT id, received_at FROM senders WHERE sender = ?1 AND sequence = ?2");
    private readonly SqliteStatement _forget = database.Prepare("DELETE FROM senders WHERE id = ?1");
    private readonly RecordText _text = new();
    private byte[] _name = new byte[128];

    /// <summary>All or nothing. Ids are given before the commit; they count only when this returns.</summary>
    public void Append(IReadOnlyList<RecordBatch> batches)
    {
        _begin.Run();
        var last = _lastId.Scalar();
        for (var i = 0; i < batches.Count; i++) last = Insert(batches[i], last);
        _commit.Run();
        _insert.Unbind();
    }

    /// <returns>The last id that is taken.</returns>
    private long Insert(RecordBatch batch, long last)
    {
        var receivedAt = SqliteTime.From(batch.ReceivedAt);
        _insert.Bind(1, receivedAt);
        _insert.BindText(2, Encode(batch.Endpoint));
        string? remote = null;
        _claim.Bind(1, receivedAt);
        for (var i = 0; i < batch.Count; i++)
        {
            var id = batch.Sender(i).IsEmpty ? last + 1 : Claim(batch, i, last + 1, receivedAt);
            batch.SetId(i, id);
            if (id <= last) continue;
            last = id;
            if (!ReferenceEquals(remote, batch.RemoteOf(i))) _insert.BindText(3, Encode(remote = batch.RemoteOf(i)));
            Insert(id, batch.Message(i).Span);
        }
        return last;
    }

    private void Insert(long id, ReadOnlySpan<byte> message)
    {
        _insert.Bind(4, id);
        if (RecordText.IsText(message))
        {
            _insert.BindText(5, message);
            _insert.Run();
            return;
        }
        _insert.BindText(5, _text.Replace(message).Span);
        _insert.BindBlob(6, message);
        _insert.Run();
        _insert.BindNull(6);
    }

    /// <returns>The id that was offered, or that of the record which had the key before, within the window.</returns>
    private long Claim(RecordBatch batch, int index, long id, long receivedAt)
    {
        _claim.Bind(2, id);
        _claim.BindText(3, batch.Sender(index));
        _claim.Bind(4, batch.Sequence(index));
        _claim.Run();
        if (database.Changes == 1) return id;

        _first.BindText(1, batch.Sender(index));
        _first.Bind(2, batch.Sequence(index));
        var (first, firstAt) = _first.Step() ? (_first.Int64(0), _first.Int64(1)) : (0, 0);
        _first.Reset();
        if (window == TimeSpan.Zero || firstAt >= receivedAt - (window.Ticks / TimeSpan.TicksPerMicrosecond)) return first;
        _forget.Bind(1, first);
        _forget.Run();
        _claim.Run();
        return id;
    }

    private ReadOnlySpan<byte> Encode(string name)
    {
        var most = Encoding.UTF8.GetMaxByteCount(name.Length);
        if (_name.Length < most) _name = new byte[most];
        return _name.AsSpan(0, Encoding.UTF8.GetBytes(name, _name));
    }
}

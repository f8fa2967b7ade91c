using System.Text;
using SQLitePCL;

namespace Perch.Records.Sqlite;

/// <summary>A prepared statement; it belongs to its <see cref="SqliteDatabase"/>, which ends it.</summary>
internal sealed class SqliteStatement(SqliteDatabase database, sqlite3_stmt handle)
{
    public void Bind(int index, long value) => database.Check(raw.sqlite3_bind_int64(handle, index, value));

    public void BindNull(int index) => database.Check(raw.sqlite3_bind_null(handle, index));

    /// <param name="index">From 1.</param>
    /// <param name="utf8">Copied.</param>
    public void BindText(int index, ReadOnlySpan<byte> utf8) =>
        // An empty span has no address, which SQLite takes for NULL.
        database.Check(utf8.IsEmpty ? raw.sqlite3_bind_text(handle, index, utf8z.FromSpan("\0"u8)) : raw.sqlite3_bind_text(handle, index, utf8));

    public void BindText(int index, string? text)
    {
        if (text is null) BindNull(index);
        else BindText(index, Encoding.UTF8.GetBytes(text));
    }

    public void BindBlob(int index, ReadOnlySpan<byte> bytes) => database.Check(raw.sqlite3_bind_blob(handle, index, bytes));

    /// <returns>True where it stands on a row, false where it is done, and then also reset.</returns>
    public bool Step()
    {
        var result = raw.sqlite3_step(handle);
        if (result == raw.SQLITE_ROW) return true;
        if (result != raw.SQLITE_DONE) throw database.Fail(result);
        Reset();
        return false;
    }

    /// <summary>Steps a statement that has no rows.</summary>
    public void Run()
    {
        while (Step())
        {
        }
    }

    /// <summary>The first column of the only row.</summary>
    public long Scalar()
    {
        var value = Step() ? Int64(0) : 0;
        Reset();
        return value;
    }

    /// <summary>Ready to be run again; the values stay bound. What the last step failed with is not said again.</summary>
    public void Reset() => _ = raw.sqlite3_reset(handle);

    /// <summary>Lets go of the copies of what was bound.</summary>
    public void Unbind() => _ = raw.sqlite3_clear_bindings(handle);

    public long Int64(int column) => raw.sqlite3_column_int64(handle, column);

    public string Text(int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(handle, column));

    public byte[]? Blob(int column) => raw.sqlite3_column_type(handle, column) == raw.SQLITE_NULL ? null : raw.sqlite3_column_blob(handle, column).ToArray();

    public void End() => handle.Dispose();
}

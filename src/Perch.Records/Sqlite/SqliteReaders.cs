using System.Collections.Concurrent;

namespace Perch.Records.Sqlite;

/// <summary>The connections that read. One is taken for a page and brought back, so there are as many as pages are read at once.</summary>
internal sealed class SqliteReaders(string path, TimeSpan busyTimeout, TimeProvider time) : IDisposable
{
    private const int MostKept = 4;

    private readonly ConcurrentQueue<(SqliteReader Reader, int Age)> _idle = new();
    private int _age;

    /// <summary>Reads with a connection to what is there now.</summary>
    public T Read<T>(Func<SqliteReader, T> read)
    {
        var age = Volatile.Read(ref _age);
        var reader = Take(age);
        try
        {
            var result = read(reader);
            if (_idle.Count < MostKept) _idle.Enqueue((reader, age));
            else reader.Dispose();
            // It may have been brought back after the others were closed.
            if (age != Volatile.Read(ref _age)) CloseIdle();
            return result;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Closes those that are idle, and the others when they come back: the file may be another, or its disk have failed.</summary>
    public void Renew()
    {
        Interlocked.Increment(ref _age);
        CloseIdle();
    }

    public void Dispose() => Renew();

    private SqliteReader Take(int age)
    {
        while (_idle.TryDequeue(out var idle))
        {
            if (idle.Age == age && idle.Reader.IsInPlace) return idle.Reader;
            idle.Reader.Dispose();
        }
        var database = new SqliteDatabase(path, create: false, busyTimeout);
        try
        {
            database.Execute("PRAGMA query_only = 1; PRAGMA temp_store = MEMORY");
            var reader = new SqliteReader(database, time);
            database.RememberLog();
            return reader;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private void CloseIdle()
    {
        while (_idle.TryDequeue(out var idle)) idle.Reader.Dispose();
    }
}

using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging.Testing;
using Perch.Records.Sqlite;
using Perch.Tests.Shared;

namespace Perch.Records.Tests.Sqlite;

/// <summary>A folder with a database in it, and what a test does to it.</summary>
internal sealed class SqliteFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-records-");

    public string Database => Path.Combine(_folder.FullName, "records.db");

    public RecordsOptions Options { get; } = new();

    public JumpingTime Time { get; } = new();

    public FakeLogger<SqliteRecordStore> Log { get; } = new();

    public SqliteRecordStore Store(TimeProvider? time = null, string? path = null) =>
        new(path ?? Database, Options, time ?? Time, Log, busyTimeout: TimeSpan.FromMilliseconds(20));

    /// <summary>Another process, as far as SQLite can tell.</summary>
    public SqliteDatabase Other() => new(Database, create: true, TimeSpan.FromSeconds(2));

    public RecordBatch Batch(params string[] messages) => Batch("lines", false, messages);

    public RecordBatch Keyed(params string[] messages) => Batch("lines", true, messages);

    public RecordBatch Batch(string endpoint, bool keyed, params string[] messages)
    {
        var batch = new RecordBatch(endpoint, "192.0.2.1:4711");
        batch.Clear(Time.GetUtcNow());
        foreach (var message in messages) batch.Add(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(message)), keyed);
        return batch;
    }

    public RecordBatch Bytes(byte[] message)
    {
        var batch = Batch();
        batch.Add(new ReadOnlySequence<byte>(message), keyed: false);
        return batch;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

internal static class SqliteStoreExtensions
{
    /// <summary>Stores the batch in a group of its own.</summary>
    /// <returns>The ids.</returns>
    public static async Task<string> AddAsync(this IRecordStore store, RecordBatch batch)
    {
        await store.AppendAsync([batch], CancellationToken.None);
        return string.Join(' ', Enumerable.Range(0, batch.Count).Select(batch.Id));
    }

    public static async Task<List<StoredRecord>> ListAsync(this IRecordStore store, RecordQuery? query = null)
    {
        var records = new List<StoredRecord>();
        await foreach (var record in store.ReadAsync(query ?? new() { Limit = int.MaxValue }, CancellationToken.None)) records.Add(record);
        return records;
    }

    public static async Task<string[]> TextsAsync(this IRecordStore store, RecordQuery? query = null) => [.. (await store.ListAsync(query)).Select(r => r.Data)];

    public static async Task<RecordStoreException> FailAsync(this IRecordStore store, RecordBatch batch) =>
    await Assert.ThrowsAsync<RecordStoreException>(() => store.AppendAsync([batch], CancellationToken.None));
}

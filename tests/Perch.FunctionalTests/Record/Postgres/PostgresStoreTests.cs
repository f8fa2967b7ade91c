using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Perch.Records;
using Perch.Records.Postgres;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>The store on a real server.</summary>
public sealed class PostgresStoreTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    [NeighbourFact("postgres")]
    public async Task Append_AnyBytes_ComeBackExactly()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database);
        byte[][] messages = ["'); DROP TABLE logs; --"u8.ToArray(), "hi"u8.ToArray(), [], [0], "a\0b"u8.ToArray(), [0xFF, (byte)'x', 0xC3], "日本語"u8.ToArray(), [.. Enumerable.Range(0, 1024 * 1024).Select(i => (byte)(i * 31))]];
        var batch = Batch("lines", [.. messages]);

        await store.AppendAsync([batch], CancellationToken.None);

        var records = await ReadAsync(store, new());
        Assert.Equal(Enumerable.Range(0, messages.Length).Select(batch.Id), records.Select(r => r.Id));
        Assert.Equal(messages, records.Select(r => r.Raw ?? Encoding.UTF8.GetBytes(r.Data)));
        Assert.Equal([false, false, false, true, true, true, false, true], records.Select(r => r.Raw is not null));
        Assert.Equal("a\uFFFDb", records[4].Data);
        Assert.All(records, r => Assert.Equal(("lines", "10.0.0.1:5000", batch.ReceivedAt), (r.Endpoint, r.Remote, r.ReceivedAt)));
        Assert.Equal(records[3], await store.FindAsync(records[3].Id, CancellationToken.None), (a, b) => a!.Raw!.SequenceEqual(b!.Raw!));
        Assert.Null(await store.FindAsync(records[^1].Id + 1, CancellationToken.None));
    }

    [NeighbourFact("postgres")]
    public async Task Read_Queries_ArePagedAndFiltered()
    {
        await using var store = await OpenAsync(await server.NewDatabaseAsync());
        var (old, now) = (DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(55));
        await store.AppendAsync([Batch("a", old, "one", "two"), Batch("b", old, "three%_")], CancellationToken.None);
        await store.AppendAsync([Batch("a", now, Enumerable.Range(0, 2500).Select(i => $"line {i}").ToArray())], CancellationToken.None);

        Assert.Equal(["two", "three%_"], (await ReadAsync(store, new() { After = 1, Limit = 2 })).Select(r => r.Data));
        Assert.Equal("three%_", Assert.Single(await ReadAsync(store, new() { Endpoint = "b" })).Data);
        Assert.Single(await ReadAsync(store, new() { Contains = "%_" }));
        Assert.Equal(2500, (await ReadAsync(store, new() { Since = now, Limit = 10_000 })).Count);
        Assert.Empty(await ReadAsync(store, new() { Since = now.AddDays(1) }));
        Assert.Equal(2503, (await ReadAsync(store, new() { Since = DateTimeOffset.MinValue, Limit = 10_000 })).Count);
        Assert.Equal(2503, await store.LastIdAsync(CancellationToken.None));
        Assert.Equal(2503, await store.LastGivenIdAsync(CancellationToken.None));
        Assert.True(await store.SizeAsync(CancellationToken.None) > 100_000);
    }

    [NeighbourFact("postgres")]
    public async Task Read_LargeRecords_AreReadInPages()
    {
        await using var store = await OpenAsync(await server.NewDatabaseAsync());
        var large = new byte[1024 * 1024];
        Random.Shared.NextBytes(large);
        await store.AppendAsync([Batch("a", Enumerable.Repeat(large, 12).ToArray())], CancellationToken.None);

        Assert.Equal(12, (await ReadAsync(store, new() { Limit = 100 })).Count);
    }

    [NeighbourFact("postgres")]
    public async Task Append_LowerIdsStillUncommitted_ReaderWaitsForThem()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database);
        await store.AppendAsync([Batch("a", "first")], CancellationToken.None);
        await using var other = new NpgsqlConnection(database);
        await other.OpenAsync();
        await using var transaction = await other.BeginTransactionAsync();
        var ids = await other.ScalarAsync<long[]>("SELECT perch_begin($1, 1)", CancellationToken.None, Guid.NewGuid());
        var behind = Batch("a", "third");
        await store.AppendAsync([behind], CancellationToken.None);

        Assert.True(behind.Id(0) > ids![0]);
        Assert.Equal(["first"], (await ReadAsync(store, new())).Select(r => r.Data));
        Assert.Equal(1, await store.LastIdAsync(CancellationToken.None));
        Assert.Equal(behind.Id(0), await store.LastGivenIdAsync(CancellationToken.None));

        await other.ExecuteAsync("INSERT INTO logs VALUES ($1, now(), 'b', 'c', 'second', NULL)", CancellationToken.None, ids[0]);
        await transaction.CommitAsync();
        Assert.Equal(["first", "second", "third"], (await ReadAsync(store, new())).Select(r => r.Data));
    }

    [NeighbourFact("postgres")]
    public async Task Append_ManyWritersAtOnce_ReaderSeesEveryRecordOnceInOrder()
    {
        const int Writers = 4;
        const int Rounds = 40;
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database);
        var writing = Task.WhenAll(Enumerable.Range(0, Writers).Select(async writer =>
        {
            for (var i = 0; i < Rounds; i++) await store.AppendAsync([Batch($"w{writer}", Enumerable.Range(0, 1 + (i % 7)).Select(n => $"{i}.{n}").ToArray())], CancellationToken.None);
        }));
        var seen = new List<StoredRecord>();
        while (true)
        {
            var done = writing.IsCompleted;
            var page = await ReadAsync(store, new() { After = seen.Count == 0 ? 0 : seen[^1].Id, Limit = 50 });
            seen.AddRange(page);
            if (done && page.Count == 0) break;
        }

        await writing;
        Assert.Equal(await PostgresServer.QueryAsync<long>(database, "SELECT id FROM logs ORDER BY id"), seen.Select(r => r.Id));
        Assert.Equal(Writers * Enumerable.Range(0, Rounds).Sum(i => 1 + (i % 7)), seen.Count);
    }

    [NeighbourFact("postgres")]
    public async Task Append_KnownKeys_GetTheFirstId()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database);
        var first = Keyed("@till/1 a", "plain", "@till/2 b", "@till/1 again");
        await store.AppendAsync([first], CancellationToken.None);
        var second = Keyed("@till/2 b", "@other/2 c", "@till/3 d");
        await store.AppendAsync([second], CancellationToken.None);

        Assert.Equal(first.Id(0), first.Id(3));
        Assert.Equal(first.Id(2), second.Id(0));
        Assert.Equal(["a", "plain", "b", "c", "d"], (await ReadAsync(store, new())).Select(r => r.Data));
    }

    [NeighbourFact("postgres")]
    public async Task Append_SameKeysFromTwoWritersAtOnce_AreStoredOnce()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database);
        var lines = Enumerable.Range(0, 200).Select(i => $"@s/{i} {i}").ToArray();
        var batches = Enumerable.Range(0, 4).Select(i => Keyed([.. i % 2 == 0 ? lines : lines.Reverse()])).ToList();

        await Task.WhenAll(batches.Select(batch => store.AppendAsync([batch], CancellationToken.None)));

        Assert.Equal(200, (await ReadAsync(store, new() { Limit = 1000 })).Select(r => r.Data).Distinct().Count());
        Assert.Equal([200L], await PostgresServer.QueryAsync<long>(database, "SELECT count(*) FROM logs"));
        Assert.Equal(Enumerable.Range(0, 200).Select(batches[0].Id), Enumerable.Range(0, 200).Select(i => batches[1].Id(199 - i)));
    }

    [NeighbourFact("postgres")]
    public async Task Append_KeyOlderThanTheWindow_IsStoredAgain()
    {
        await using var store = await OpenAsync(await server.NewDatabaseAsync(), new() { DeduplicateWindow = TimeSpan.FromDays(1) });
        var now = DateTimeOffset.UnixEpoch.AddYears(50);
        await store.AppendAsync([Keyed(now, "@s/1 first")], CancellationToken.None);
        await store.AppendAsync([Keyed(now.AddHours(23), "@s/1 within")], CancellationToken.None);
        await store.AppendAsync([Keyed(now.AddHours(25), "@s/1 later")], CancellationToken.None);

        Assert.Equal(["first", "later"], (await ReadAsync(store, new())).Select(r => r.Data));
    }

    [NeighbourFact("postgres")]
    public async Task Append_CommitOffOnTheServer_IsOnForOurs()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database);
        await PostgresServer.ExecuteAsync(database, """
            DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$;
            CREATE TABLE seen (setting text);
            CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
            CREATE TRIGGER see AFTER INSERT ON logs FOR EACH STATEMENT EXECUTE FUNCTION see();
            """);
        await using var again = await OpenAsync(database);
        await again.AppendAsync([Batch("a", "x")], CancellationToken.None);

        Assert.Equal(["off"], await PostgresServer.QueryAsync<string>(database, "SHOW synchronous_commit"));
        Assert.Equal(["on"], await PostgresServer.QueryAsync<string>(database, "SELECT setting FROM seen"));
    }

    [NeighbourFact("postgres")]
    public async Task Open_ManyAtOnce_OneMakesTheTables()
    {
        var database = await server.NewDatabaseAsync();
        var stores = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => OpenAsync(database)));

        Assert.Equal([1], await PostgresServer.QueryAsync<int>(database, "SELECT version FROM perch_state"));
        foreach (var store in stores) await store.DisposeAsync();
    }

    [NeighbourFact("postgres")]
    public async Task Open_OtherProgramsTables_IsRefusedWithTheCure()
    {
        var database = await server.NewDatabaseAsync();
        await PostgresServer.ExecuteAsync(database, "CREATE TABLE logs (id int)");
        await using var store = Create(database);

        var failure = await Assert.ThrowsAsync<RecordStoreException>(() => store.OpenAsync(CancellationToken.None));
        Assert.Contains("Search Path", failure.Message, StringComparison.Ordinal);
        Assert.Equal([0L], await PostgresServer.QueryAsync<long>(database, "SELECT count(*) FROM pg_class WHERE relname LIKE 'perch%'"));

        await PostgresServer.ExecuteAsync(database, "CREATE SCHEMA own");
        await using var elsewhere = await OpenAsync($"{database};Search Path=own");
        await elsewhere.AppendAsync([Batch("a", "x")], CancellationToken.None);
        Assert.Single(await ReadAsync(elsewhere, new()));
    }

    [NeighbourFact("postgres")]
    public async Task Open_RoleMayNotCreate_UsesWhatIsThere()
    {
        var database = await server.NewDatabaseAsync();
        await using (await OpenAsync(database))
        {
        }

        await PostgresServer.ExecuteAsync(database, """
            DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO clerk;
            """);
        await using var store = await OpenAsync(database.Replace("Username=perch", "Username=clerk", StringComparison.Ordinal));
        await store.AppendAsync([Batch("a", "x")], CancellationToken.None);
        Assert.Single(await ReadAsync(store, new()));

        var empty = (await server.NewDatabaseAsync()).Replace("Username=perch", "Username=clerk", StringComparison.Ordinal);
        await using var refused = Create(empty);
        Assert.Equal("read-only", (await Assert.ThrowsAsync<RecordStoreException>(() => refused.OpenAsync(CancellationToken.None))).Code);
    }

    [NeighbourFact("postgres")]
    public async Task Append_ReadOnlyServer_SaysSo()
    {
        var database = await server.NewDatabaseAsync();
        await using var writable = await OpenAsync(database);
        await using var store = await OpenAsync($"{database};Options=-c default_transaction_read_only=on");

        Assert.Equal("read-only", (await Assert.ThrowsAsync<RecordStoreException>(() => store.AppendAsync([Batch("a", "x")], CancellationToken.None))).Code);
        Assert.Equal("read-only", (await Assert.ThrowsAsync<RecordStoreException>(() => store.ProbeAsync(CancellationToken.None))).Code);
    }

    [NeighbourFact("postgres")]
    public async Task Trim_MaxRows_DeletesTheOldestAndNoMore()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database, new() { Retention = { MaxRows = 10 } });
        await store.AppendAsync([Batch("a", Enumerable.Range(0, 25).Select(i => $"{i}").ToArray())], CancellationToken.None);
        await TrimAsync(store, 4);
        Assert.Equal(Enumerable.Range(15, 10).Select(i => $"{i}"), (await ReadAsync(store, new())).Select(r => r.Data));

        // What somebody else deletes makes room, too.
        await PostgresServer.ExecuteAsync(database, "DELETE FROM logs WHERE data IN ('16', '17', '18')");
        await store.AppendAsync([Batch("a", "25", "26", "27")], CancellationToken.None);
        await TrimAsync(store, 4);
        Assert.Equal(["15", "19", "20", "21", "22", "23", "24", "25", "26", "27"], (await ReadAsync(store, new())).Select(r => r.Data));

        await PostgresServer.ExecuteAsync(database, "TRUNCATE logs");
        await store.AppendAsync([Batch("a", Enumerable.Range(0, 11).Select(i => $"{i}").ToArray())], CancellationToken.None);
        await TrimAsync(store, 4);
        Assert.Equal(Enumerable.Range(1, 10).Select(i => $"{i}"), (await ReadAsync(store, new())).Select(r => r.Data));
    }

    [NeighbourFact("postgres")]
    public async Task Trim_MaxAge_DeletesWhatIsOlder()
    {
        await using var store = await OpenAsync(await server.NewDatabaseAsync(), new() { Retention = { MaxAge = TimeSpan.FromHours(1) } });
        await store.AppendAsync([Batch("a", TimeProvider.System.GetUtcNow().AddHours(-2), "old", "older"), Batch("a", TimeProvider.System.GetUtcNow(), "new")], CancellationToken.None);
        await TrimAsync(store, 1);

        Assert.Equal("new", Assert.Single(await ReadAsync(store, new())).Data);
    }

    [NeighbourFact("postgres")]
    public async Task Trim_ServersClockJumps_KeepsWhatIsOlder()
    {
        var time = new ShiftedTime();
        await using var store = new PostgresRecordStore(new() { ConnectionString = await server.NewDatabaseAsync(), Retention = { MaxAge = TimeSpan.FromHours(1) } }, time, NullLogger<PostgresRecordStore>.Instance);
        await store.OpenAsync(CancellationToken.None);
        await TrimAsync(store, 1);
        await store.AppendAsync([Batch("a", TimeProvider.System.GetUtcNow().AddHours(-2), "old")], CancellationToken.None);

        // Seen from this machine's monotonic clock, the server's clock went back by a day.
        time.Shift = TimeSpan.FromDays(1);
        await TrimAsync(store, 1);
        Assert.Equal("old", Assert.Single(await ReadAsync(store, new())).Data);
    }

    [NeighbourFact("postgres")]
    public async Task Trim_KeysPastTheWindow_AreForgotten()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await OpenAsync(database, new() { DeduplicateWindow = TimeSpan.FromHours(1) });
        await store.AppendAsync([Keyed(TimeProvider.System.GetUtcNow().AddHours(-2), "@s/1 a", "@s/2 b"), Keyed(TimeProvider.System.GetUtcNow(), "@s/3 c")], CancellationToken.None);
        await TrimAsync(store, 1);

        Assert.Equal([3L], await PostgresServer.QueryAsync<long>(database, "SELECT sequence FROM perch_senders"));
    }

    internal static PostgresRecordStore Create(string connectionString, PostgresOptions? options = null, TimeProvider? time = null, ILogger<PostgresRecordStore>? logger = null)
    {
        options ??= new();
        options.ConnectionString = connectionString;
        return new(options, time ?? TimeProvider.System, logger ?? NullLogger<PostgresRecordStore>.Instance);
    }

    internal static async Task<PostgresRecordStore> OpenAsync(string connectionString, PostgresOptions? options = null)
    {
        var store = Create(connectionString, options);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }

    internal static async Task<List<StoredRecord>> ReadAsync(PostgresRecordStore store, RecordQuery query)
    {
        var records = new List<StoredRecord>();
        await foreach (var record in store.ReadAsync(query, CancellationToken.None)) records.Add(record);
        return records;
    }

    internal static RecordBatch Batch(string endpoint, params string[] messages) => Batch(endpoint, DateTimeOffset.UnixEpoch.AddYears(50), messages);

    internal static RecordBatch Batch(string endpoint, DateTimeOffset receivedAt, params string[] messages) => Fill(endpoint, receivedAt, keyed: false, messages.Select(Encoding.UTF8.GetBytes));

    private static RecordBatch Batch(string endpoint, byte[][] messages) => Fill(endpoint, DateTimeOffset.UnixEpoch.AddYears(50), keyed: false, messages);

    internal static RecordBatch Keyed(params string[] messages) => Keyed(DateTimeOffset.UnixEpoch.AddYears(50), messages);

    internal static RecordBatch Keyed(DateTimeOffset receivedAt, params string[] messages) => Fill("keyed", receivedAt, keyed: true, messages.Select(Encoding.UTF8.GetBytes));

    private static RecordBatch Fill(string endpoint, DateTimeOffset receivedAt, bool keyed, IEnumerable<byte[]> messages)
    {
        var batch = new RecordBatch(endpoint, "10.0.0.1:5000");
        batch.Clear(receivedAt);
        foreach (var message in messages) batch.Add(new ReadOnlySequence<byte>(message), keyed);
        return batch;
    }

    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + (long)(Shift.TotalSeconds * TimestampFrequency);
    }

    private static async Task TrimAsync(PostgresRecordStore store, int most)
    {
        while (await store.TrimAsync(most, CancellationToken.None) > 0)
        {
        }
    }
}

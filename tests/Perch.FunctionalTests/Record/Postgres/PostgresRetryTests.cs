using System.Globalization;
using Npgsql;
using Perch.FunctionalTests.Hosting;
using Perch.Records;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>A transaction whose connection is lost is stored once, whether or not its commit went through.</summary>
public sealed class PostgresRetryTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    [NeighbourTheory("postgres")]
    [InlineData("BeforeCommit")]
    [InlineData("AfterCommit")]
    public async Task Append_ConnectionCutAtTheCommit_IsStoredOnce(string cut)
    {
        var database = await server.NewDatabaseAsync();
        await using var direct = await PostgresStoreTests.OpenAsync(database);
        await using var relay = new CuttingRelay(server.Port, Enum.Parse<CuttingRelay.Cut>(cut));
        await using var store = PostgresStoreTests.Create(Through(relay, database));
        var batch = PostgresStoreTests.Batch("a", "one", "two");

        await store.AppendAsync([batch], CancellationToken.None);

        Assert.True(relay.WasCut);
        var records = await PostgresStoreTests.ReadAsync(direct, new());
        Assert.Equal(["one", "two"], records.Select(r => r.Data));
        Assert.Equal([batch.Id(0), batch.Id(1)], records.Select(r => r.Id));
        Assert.Equal(1, records[1].Id - records[0].Id);
    }

    [NeighbourFact("postgres")]
    public async Task Append_LostTransactionStillOpen_WaitsForItsEnd()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await PostgresStoreTests.OpenAsync(database);
        var id = Guid.NewGuid();
        await using var lost = new NpgsqlConnection(database);
        await lost.OpenAsync();
        await using var transaction = await lost.BeginTransactionAsync();
        await using (var begin = new NpgsqlCommand("SELECT perch_begin($1, 1)", lost) { Parameters = { new() { Value = id } } }) await begin.ExecuteScalarAsync();

        var again = PostgresServer.QueryAsync<bool>(database, $"SELECT perch_begin('{id}', 1) IS NULL");
        await Poll.UntilAsync(
            async () => (await PostgresServer.QueryAsync<long>(database, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))[0] > 0,
            () => "the second one waits");
        Assert.False(again.IsCompleted);
        await transaction.CommitAsync();

        Assert.True((await again)[0]);
    }

    [NeighbourFact("postgres")]
    public async Task Append_NetworkStandsStill_IsUnavailableAndThenStored()
    {
        var database = await server.NewDatabaseAsync();
        await using var relay = new CuttingRelay(server.Port);
        await using var store = await PostgresStoreTests.OpenAsync(Through(relay, database), new() { Timeout = TimeSpan.FromSeconds(1) });
        relay.Stall();

        var failure = await Assert.ThrowsAsync<RecordStoreException>(() => store.AppendAsync([PostgresStoreTests.Batch("a", "lost")], CancellationToken.None));
        Assert.Equal("unavailable", failure.Code);

        relay.Flow();
        await store.AppendAsync([PostgresStoreTests.Batch("a", "stored")], CancellationToken.None);
        Assert.Contains("stored", (await PostgresStoreTests.ReadAsync(store, new())).Select(r => r.Data));
    }

    [NeighbourFact("postgres")]
    public async Task Append_ServerIsAway_SaysWhereItShouldBe()
    {
        await using var store = PostgresStoreTests.Create("Host=127.0.0.1;Port=1;Database=perch;Username=perch;Password=secret", new() { Timeout = TimeSpan.FromMilliseconds(300) });

        var failure = await Assert.ThrowsAsync<RecordStoreException>(() => store.AppendAsync([PostgresStoreTests.Batch("a", "x")], CancellationToken.None));
        Assert.Equal("unavailable", failure.Code);
        Assert.StartsWith("PostgreSQL 127.0.0.1:1/perch cannot be reached", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failure.ToString(), StringComparison.Ordinal);
    }

    private static string Through(CuttingRelay relay, string database) =>
        new NpgsqlConnectionStringBuilder(database) { Port = relay.Port }.ConnectionString.ToString(CultureInfo.InvariantCulture);
}

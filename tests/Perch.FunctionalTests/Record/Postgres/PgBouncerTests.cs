using Perch.Records.Postgres;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>Two stores share two connections, and nobody minds whose transaction is on which.</summary>
public sealed class PgBouncerTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    [NeighbourFact("pgbouncer")]
    public async Task Append_ThroughPgBouncer_StoresReadsAndTrims()
    {
        const int Rounds = 30;
        var database = await server.NewDatabaseAsync();
        await using var bouncer = await PgBouncer.StartAsync(server, connections: 2);
        var options = () => new PostgresOptions { Retention = { MaxRows = 1000 } };
        await using var one = await PostgresStoreTests.OpenAsync(bouncer.Through(database), options());
        await using var other = await PostgresStoreTests.OpenAsync(bouncer.Through(database), options());

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async writer =>
        {
            var store = writer % 2 == 0 ? one : other;
            for (var i = 0; i < Rounds; i++)
            {
                await store.AppendAsync([PostgresStoreTests.Keyed(TimeProvider.System.GetUtcNow(), $"@w{writer}/{i} {writer} {i}", $"@shared/{i} shared {i}")], CancellationToken.None);
                await store.TrimAsync(10, CancellationToken.None);
            }
        }));

        var records = await PostgresStoreTests.ReadAsync(one, new() { Limit = 10_000 });
        Assert.Equal((8 * Rounds) + Rounds, records.Count);
        Assert.Equal(Rounds, records.Count(r => r.Data.StartsWith("shared", StringComparison.Ordinal)));
        for (var writer = 0; writer < 8; writer++)
            Assert.Equal(Enumerable.Range(0, Rounds).Select(i => $"{writer} {i}"), records.Select(r => r.Data).Where(data => data.StartsWith($"{writer} ", StringComparison.Ordinal)));
        Assert.InRange((await PostgresServer.QueryAsync<long>(database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"))[0], 1, 2);
    }
}

using System.Text.Json;
using Npgsql;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>A host name moves to a new primary while the old one keeps its connections open and stores nothing any more.</summary>
public sealed class PostgresFailoverTests(PostgresServer primary) : IClassFixture<PostgresServer>
{
    private const string Database = "failover";

    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(5);

    /// <summary>A demoted server, and failures of other classes after which the old server answers on.</summary>
    [NeighbourTheory("postgres")]
    [InlineData("25006", "ERR read-only ")]
    [InlineData("53100", "ERR full ")]
    [InlineData("58030", "ERR unavailable ")]
    [InlineData("XX001", "ERR corrupt ")]
    public async Task Name_MovesToANewPrimary_RecordsAreStoredAgain(string state, string refusal)
    {
        var old = new PostgresServer();
        await old.InitializeAsync();
        try
        {
            await using var relay = new CuttingRelay(old.Port);
            await PostgresServer.ExecuteAsync(old.ConnectionString("postgres"), $"CREATE DATABASE {Database}");
            await PostgresServer.ExecuteAsync(primary.ConnectionString("postgres"), $"DROP DATABASE IF EXISTS {Database} WITH (FORCE)");
            await PostgresServer.ExecuteAsync(primary.ConnectionString("postgres"), $"CREATE DATABASE {Database}");
            await using var host = await PerchHost.StartAsync(Settings(new NpgsqlConnectionStringBuilder(old.ConnectionString(Database)) { Port = relay.Port }.ConnectionString));
            using var client = await host.ConnectAsync("lines");
            Assert.Equal("OK 1\n", await client.AskAsync("before\n", 5));

            await DemoteAsync(old, state);
            Assert.Equal(refusal, await AskOneAsync(host, refusal.Length));
            relay.MoveTo(primary.Port);

            await Poll.UntilAsync(async () => await AskOneAsync(host, 3) == "OK ", () => $"records are stored again: {host.Log}", Recovery);
            Assert.Contains("after", await PostgresServer.QueryAsync<string>(primary.ConnectionString(Database), "SELECT data FROM logs"));
            Assert.Equal(["before"], await PostgresServer.QueryAsync<string>(old.ConnectionString(Database), "SELECT data FROM logs"));
        }
        finally
        {
            await old.DisposeAsync();
        }
    }

    private static async Task<string> AskOneAsync(PerchHost host, int bytes)
    {
        using var client = await host.ConnectAsync("lines");
        return await client.AskAsync("after\n", bytes);
    }

    private static async Task DemoteAsync(PostgresServer old, string state)
    {
        if (state == PostgresErrorCodes.ReadOnlySqlTransaction)
        {
            await PostgresServer.ExecuteAsync(old.ConnectionString("postgres"), "ALTER SYSTEM SET default_transaction_read_only = on");
            await PostgresServer.ExecuteAsync(old.ConnectionString("postgres"), "SELECT pg_reload_conf()");
            return;
        }

        await PostgresServer.ExecuteAsync(old.ConnectionString(Database), $"""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$;
            CREATE TRIGGER fail BEFORE INSERT ON logs FOR EACH STATEMENT EXECUTE FUNCTION fail();
            CREATE TRIGGER fail BEFORE UPDATE ON perch_state FOR EACH STATEMENT EXECUTE FUNCTION fail();
            """);
    }

    private static ServerSettings Settings(string database) => new ServerSettings
    {
        Log = "Warning",
        Records = JsonSerializer.Serialize(new { Store = "Postgres", ConnectionString = database, Timeout = TimeSpan.FromSeconds(2) }),
    }.With("lines", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""");
}

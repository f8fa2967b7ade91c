using System.Text.Json;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>
/// Senders with numbered messages at full rate, while Perch or the PostgreSQL server ends at random moments.
/// <c>PERCH_KILLS</c> sets how often (a quarter as often as with SQLite; default 5).
/// </summary>
public sealed class PostgresKillTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private const int Senders = 4;

    private static int Kills => Math.Max(1, KillTests.Kills / 4);

    [NeighbourTheory("postgres")]
    [InlineData(true, ServerEnd.Kill)]
    [InlineData(false, ServerEnd.Kill)]
    [InlineData(true, ServerEnd.Terminate)]
    [InlineData(true, ServerEnd.PauseAndKill)]
    public async Task PerchEnds_AtRandomMoments_KeepsWhatWasAcknowledged(bool deduplicate, ServerEnd end)
    {
        var database = await NewDatabaseAsync();
        using var folder = new ServerFolder(Settings(database, deduplicate));
        var random = new Random((int)end + (deduplicate ? 0 : 10));
        var senders = NewSenders(deduplicate);
        for (var kill = 0; kill < Kills; kill++)
        {
            await using var perch = await ServerProcess.StartAsync(folder);
            var port = await perch.Admin.GetPortAsync("record");
            var sending = senders.ConvertAll(sender => sender.SendAsync(port));
            await perch.EndAtRandomAsync(end, random, 600);
            await Task.WhenAll(sending).WaitAsync(Poll.Deadline);
            await VerifyAsync(database, senders, deduplicate);
        }

        Assert.All(senders, sender => Assert.True(sender.Acknowledged > 0));
    }

    [NeighbourTheory("postgres")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PostgresKilled_AtRandomMoments_StoresOnceWhatItAcknowledges(bool deduplicate)
    {
        var database = await NewDatabaseAsync();
        using var folder = new ServerFolder(Settings(database, deduplicate));
        var random = new Random(deduplicate ? 3 : 4);
        var senders = NewSenders(deduplicate);
        await using var perch = await ServerProcess.StartAsync(folder);
        var port = await perch.Admin.GetPortAsync("record");
        var sending = senders.ConvertAll(sender => sender.SendAsync(port));
        for (var kill = 0; kill < Kills; kill++)
        {
            var acknowledged = senders.ConvertAll(sender => sender.Acknowledged);
            await Poll.UntilAsync(() => senders.Zip(acknowledged).All(pair => pair.First.Acknowledged > pair.Second), () => $"messages are stored: {perch.Output}");
            await Task.Delay(random.Next(20, 600));
            await server.KillAsync();
            await server.StartAsync();
        }

        perch.Signal(ServerProcess.Sigterm);
        Assert.Equal(0, (await perch.WaitForExitAsync()).ExitCode);
        await Task.WhenAll(sending).WaitAsync(Poll.Deadline);
        // No sender had to send anything again: the transactions that were under way were.
        Assert.All(senders, sender => Assert.Equal(0, sender.Refusals));
        await VerifyAsync(database, senders, once: true);
    }

    /// <summary>With its tables: a kill may come before Perch has made them.</summary>
    private async Task<string> NewDatabaseAsync()
    {
        var database = await server.NewDatabaseAsync();
        await using var store = await PostgresStoreTests.OpenAsync(database);
        return database;
    }

    private static ServerSettings Settings(string database, bool deduplicate) => new ServerSettings
    {
        Log = "Warning",
        Records = JsonSerializer.Serialize(new { Store = "Postgres", ConnectionString = database }),
    }.With("record", $$"""{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": {{(deduplicate ? "true" : "false")}} } }""");

    private static List<ResendingSender> NewSenders(bool keyed) => [.. Enumerable.Range(0, Senders).Select(number => new ResendingSender($"s{number}", keyed))];

    private static async Task VerifyAsync(string database, List<ResendingSender> senders, bool once)
    {
        var rows = await PostgresServer.QueryAsync<string>(database, "SELECT data FROM logs ORDER BY id");
        senders.ForEach(sender => sender.Verify(rows, once));
    }
}

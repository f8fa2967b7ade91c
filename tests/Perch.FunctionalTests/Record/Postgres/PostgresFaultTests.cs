using System.Net;
using System.Text.Json;
using Npgsql;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>
/// Senders at full rate, and a server that is stopped for longer than a record may wait, stands still, or cannot be
/// reached: nothing is acknowledged that is not stored, and all goes on within five seconds of the cause's end.
/// </summary>
public sealed class PostgresFaultTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private const int Senders = 4;

    /// <summary>Above what the process needs, below what senders bring in that time that are not held back.</summary>
    private const long MostMemory = 384 * 1024 * 1024;

    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    [NeighbourFact("postgres")]
    public Task Server_StoppedForHalfAMinute_NothingIsLost() => SurviveAsync(_ => server.StopAsync(), _ => server.StartAsync(), TimeSpan.FromSeconds(30));

    [NeighbourFact("postgres")]
    public Task Server_StandsStill_NothingIsLost() => SurviveAsync(
        _ =>
        {
            server.Freeze();
            return Task.CompletedTask;
        },
        _ =>
        {
            server.Resume();
            return Task.CompletedTask;
        },
        TimeSpan.FromSeconds(8));

    [NeighbourFact("postgres")]
    public Task Network_StandsStill_NothingIsLost() => SurviveAsync(
        relay =>
        {
            relay.Stall();
            return Task.CompletedTask;
        },
        relay =>
        {
            relay.Flow();
            return Task.CompletedTask;
        },
        TimeSpan.FromSeconds(8));

    private async Task SurviveAsync(Func<CuttingRelay, Task> begin, Func<CuttingRelay, Task> end, TimeSpan span)
    {
        var database = await server.NewDatabaseAsync();
        await using var relay = new CuttingRelay(server.Port);
        using var folder = new ServerFolder(Settings(new NpgsqlConnectionStringBuilder(database) { Port = relay.Port }.ConnectionString));
        await using var perch = await ServerProcess.StartAsync(folder);
        var port = await perch.Admin.GetPortAsync("record");
        var senders = Enumerable.Range(0, Senders).Select(number => new ResendingSender($"s{number}", keyed: true)).ToList();
        using var ending = new CancellationTokenSource();
        var sending = senders.ConvertAll(sender => SendUntilAsync(sender, port, ending.Token));
        await StoredAsync(perch, senders, Poll.Deadline);

        await begin(relay);
        await Poll.UntilAsync(
            async () => senders.TrueForAll(sender => sender.Refusals > 0) && (await perch.Admin.GetAsync("/health/ready")).Status == HttpStatusCode.ServiceUnavailable,
            () => $"everybody is refused: {perch.Output}");
        var acknowledged = senders.ConvertAll(sender => sender.Acknowledged);
        // The span is what is tested.
        await Task.Delay(span);
        Assert.Equal(acknowledged, senders.ConvertAll(sender => sender.Acknowledged));

        await end(relay);
        await StoredAsync(perch, senders, Recovery);
        Assert.InRange(perch.PeakWorkingSet(), 1, MostMemory);
        await ending.CancelAsync();
        perch.Signal(ServerProcess.Sigterm);
        Assert.Equal(0, (await perch.WaitForExitAsync()).ExitCode);
        await Task.WhenAll(sending).WaitAsync(Poll.Deadline);
        var rows = await PostgresServer.QueryAsync<string>(database, "SELECT data FROM logs ORDER BY id");
        senders.ForEach(sender => sender.Verify(rows, once: true, inOrder: false));
    }

    /// <summary>Comes back again and again, as senders do.</summary>
    private static async Task SendUntilAsync(ResendingSender sender, int port, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await sender.SendAsync(port);
            await Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None);
        }
    }

    private static async Task StoredAsync(ServerProcess perch, List<ResendingSender> senders, TimeSpan deadline)
    {
        var acknowledged = senders.ConvertAll(sender => sender.Acknowledged);
        await Poll.UntilAsync(
            async () => senders.Zip(acknowledged).All(pair => pair.First.Acknowledged > pair.Second) && (await perch.Admin.GetAsync("/health/ready")).Status == HttpStatusCode.OK,
            () => $"everybody's messages are stored: {string.Join(", ", senders.Select(s => s.Acknowledged))}\n{perch.Output}",
            deadline);
    }

    private static ServerSettings Settings(string database) => new ServerSettings
    {
        Log = "Warning",
        Records = JsonSerializer.Serialize(new { Store = "Postgres", ConnectionString = database, Timeout }),
    }.With("record", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": true } }""");
}

using System.Globalization;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>
/// Senders with numbered messages at full rate, and a server that ends at random moments: every acknowledged message is stored.
/// <c>PERCH_KILLS</c> sets how often it ends (default 20).
/// </summary>
public sealed class KillTests
{
    private const int Senders = 4;

    internal static int Kills { get; } = int.Parse(Environment.GetEnvironmentVariable("PERCH_KILLS") ?? "20", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(true, ServerEnd.Kill)]
    [InlineData(false, ServerEnd.Kill)]
    [InlineData(true, ServerEnd.Terminate)]
    [InlineData(true, ServerEnd.PauseAndKill)]
    public async Task End_AtRandomMoments_KeepsWhatWasAcknowledged(bool deduplicate, ServerEnd end)
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("record",
            $$"""{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": {{(deduplicate ? "true" : "false")}} } }"""));
        var random = new Random((int)end + (deduplicate ? 0 : 10));
        var senders = Enumerable.Range(0, Senders).Select(number => new ResendingSender($"s{number}", deduplicate)).ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            await using var server = await ServerProcess.StartAsync(folder);
            var port = await server.Admin.GetPortAsync("record");
            var sending = senders.ConvertAll(sender => sender.SendAsync(port));
            await server.EndAtRandomAsync(end, random, 400);
            await Task.WhenAll(sending).WaitAsync(Poll.Deadline);
            Verify(Path.Combine(folder.Root, "data", "records.db"), senders, deduplicate);
        }

        Assert.All(senders, sender => Assert.True(sender.Acknowledged > 0));
    }

    private static void Verify(string path, List<ResendingSender> senders, bool deduplicate)
    {
        Assert.Equal(["ok"], DatabaseFile.Query(path, "PRAGMA integrity_check"));
        var rows = DatabaseFile.Query(path, "SELECT data FROM logs ORDER BY id");
        senders.ForEach(sender => sender.Verify(rows, deduplicate));
    }
}

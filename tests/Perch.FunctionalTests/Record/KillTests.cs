using System.Globalization;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>
/// Senders with numbered messages at full rate, and a server that is killed at random moments: what was acknowledged is
/// there. <c>PERCH_KILLS</c> sets how often it is killed (20 where it is not set).
/// </summary>
public sealed class KillTests
{
    private const int Senders = 4;

    internal static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("PERCH_KILLS") ?? "20", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Kill_AtRandomMoments_KeepsWhatWasAcknowledged(bool deduplicate)
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("record",
            $$"""{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": {{(deduplicate ? "true" : "false")}} } }"""));
        var random = new Random(deduplicate ? 1 : 2);
        var senders = Enumerable.Range(0, Senders).Select(number => new ResendingSender($"s{number}", deduplicate)).ToList();
        for (var kill = 0; kill < Kills; kill++)
        {
            await using var server = await ServerProcess.StartAsync(folder);
            var port = await server.Admin.GetPortAsync("record");
            var sending = senders.ConvertAll(sender => sender.SendAsync(port));
            // The moment is what is random here, not a wait for something.
            await Task.Delay(random.Next(20, 400));
            server.Signal(ServerProcess.Sigkill);
            await server.WaitForExitAsync();
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

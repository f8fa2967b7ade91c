using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>
/// Senders with numbered messages at full rate, and a server that is killed at random moments: what was acknowledged is
/// there. <c>PERCH_KILLS</c> sets how often it is killed (20 where it is not set).
/// </summary>
public sealed class KillTests
{
    private const int Senders = 4;
    private const int Window = 200;

    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("PERCH_KILLS") ?? "20", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Kill_AtRandomMoments_KeepsWhatWasAcknowledged(bool deduplicate)
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("record",
            $$"""{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": {{(deduplicate ? "true" : "false")}} } }"""));
        var random = new Random(deduplicate ? 1 : 2);
        var senders = Enumerable.Range(0, Senders).Select(number => new Sender($"s{number}", deduplicate)).ToList();
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

    private static void Verify(string path, List<Sender> senders, bool deduplicate)
    {
        Assert.Equal(["ok"], DatabaseFile.Query(path, "PRAGMA integrity_check"));
        var rows = DatabaseFile.Query(path, "SELECT data FROM logs ORDER BY id").Select(row => row.Split(' ')).ToLookup(row => row[0], row => int.Parse(row[1], CultureInfo.InvariantCulture));
        foreach (var sender in senders)
        {
            var stored = rows[sender.Name].ToList();
            // Sent again after a kill they come twice, unless keys are taken; the first of each is in order.
            var distinct = stored.Distinct().ToList();
            Assert.Equal(distinct.Order(), distinct);
            Assert.Equal(Enumerable.Range(0, distinct.Count), distinct);
            Assert.True(distinct.Count >= sender.Acknowledged, $"{sender.Name}: {sender.Acknowledged} acknowledged, {distinct.Count} stored");
            if (deduplicate) Assert.Equal(distinct.Count, stored.Count);
        }
    }

    /// <summary>Sends 0, 1, 2 ... and, when it comes back, again from the first that was not acknowledged.</summary>
    private sealed class Sender(string name, bool keyed)
    {
        public string Name { get; } = name;

        public int Acknowledged { get; private set; }

        public async Task SendAsync(int port)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", port);
                await using var stream = client.GetStream();
                var answers = new StreamReader(stream, Encoding.ASCII);
                var next = Acknowledged;
                while (true)
                {
                    var lines = new StringBuilder();
                    for (; next < Acknowledged + Window; next++) lines.Append(CultureInfo.InvariantCulture, $"{(keyed ? $"@{Name}/{next} " : "")}{Name} {next}\n");
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(lines.ToString()));
                    if (await answers.ReadLineAsync() is not { } answer) return;
                    Assert.StartsWith("OK ", answer, StringComparison.Ordinal);
                    Acknowledged++;
                }
            }
            catch (Exception exception) when (exception is IOException or SocketException)
            {
                // The server was killed.
            }
        }
    }
}

using System.Net;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Files;

/// <summary>One peer's unfinished uploads do not close the store to others.</summary>
public sealed class FileLimitTests
{
    [Fact]
    public async Task UnfinishedUploadsOfOnePeer_BeyondEachLimit_LeaveTheStoreOpen()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { Files = """{ "MaxPartials": 20, "MaxPartialsPerSource": 10 }""" }
            .With("files", """{ "Port": 0, "Protocol": "files" }"""));
        var port = await host.Admin.GetPortAsync("files");
        for (var i = 0; i < 30; i++)
        {
            using (var peer = FileClient.Connect(port))
            {
                await peer.SendAsync(Encoding.ASCII.GetBytes($"PUT x{i} 2\na"));
                await Poll.UntilAsync(async () => await AreAsync(host, Math.Min(i + 1, 10), dropped: Math.Max(i - 9, 0)), () => $"upload {i} has begun");
            }

            // Only an upload that was left makes room for the next one.
            await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_files_active") == 0, () => $"upload {i} is left");
        }

        using var other = FileClient.Connect(port);
        await other.SendAsync("PUT whole 1\na"u8.ToArray());
        Assert.StartsWith("OK 1 ", await other.ReadLineAsync(), StringComparison.Ordinal);
        await other.SendAsync("PUT x0 2 offset=1\nb"u8.ToArray());
        Assert.Equal("ERR offset there is no unfinished upload of this name: it was dropped, or never begun. Begin at 0", await other.ReadLineAsync());

        var (status, body) = await host.Admin.GetReadyAsync();
        Assert.Equal((HttpStatusCode.OK, "Degraded"), (status, body["status"]!.GetValue<string>()));
        Assert.Contains("this address has 10 unfinished uploads", body["checks"]!["files"]!["description"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(21, (await host.Admin.GetMetricsAsync()).Sum("perch_files_partials_dropped_total"));
    }

    private static async Task<bool> AreAsync(PerchHost host, int partials, int dropped)
    {
        var metrics = await host.Admin.GetMetricsAsync();
        return metrics.Sum("perch_files_partials") == partials && metrics.Sum("perch_files_partials_dropped_total") == dropped;
    }
}

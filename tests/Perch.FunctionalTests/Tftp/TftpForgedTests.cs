using System.Net;
using System.Text;
using Perch.FunctionalTests.Datagrams;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Tftp;

/// <summary>Requests whose source is forged: what the server sends to the victim.</summary>
[Collection(AloneCollection.Name)]
public sealed class TftpForgedTests
{
    private const int Headers = 28;

    private static readonly IPAddress Victim = IPAddress.Parse("127.0.0.77");

    [RootFact]
    public async Task Forged_ReadWithOptions_SendsNoMoreThanTheBudget()
    {
        await using var host = await StartAsync();
        var request = Encoding.ASCII.GetBytes("\0\u0001big\0octet\0blksize\01428\0windowsize\064\0tsize\00\0timeout\01\0");

        await ForgeAsync(host, request, requests: 20);

        var bytes = await SentAsync(host);
        Assert.InRange(bytes, 1, 20 * 3 * (request.Length + Headers));
    }

    [RootFact]
    public async Task Forged_ReadWithoutOptions_SendsOneBlockEach()
    {
        await using var host = await StartAsync();

        await ForgeAsync(host, "\0\u0001big\0octet\0"u8.ToArray(), requests: 20);

        Assert.Equal(20 * (516 + Headers), await SentAsync(host));
    }

    [RootFact]
    public async Task Forged_ManyReadsOfOneVictim_AreFewTransfers()
    {
        await using var host = await StartAsync();

        var server = new IPEndPoint(IPAddress.Loopback, await host.Admin.GetPortAsync("tftp"));
        for (var i = 0; i < 500; i++) Forger.Send(new(Victim, 20000 + i), server, "\0\u0001big\0octet\0"u8);

        await UntilAsync(host, "perch_datagrams_received_total", 500);
        // With the upload.
        await UntilAsync(host, "perch_tftp_transfers_total", 501);
        // 32 at once, for each of which there is one block; what is refused is told in a few bytes. Where the forging is slow the
        // first of them are over before its end, and make room.
        var metrics = await host.Admin.GetMetricsAsync();
        var served = metrics.Sum("perch_tftp_transfers_total", "outcome=\"no-peer\"");
        Assert.InRange(served, 32, 100);
        Assert.Equal(500 - served, metrics.Sum("perch_tftp_transfers_total", "outcome=\"busy\""));
    }

    /// <summary>An acknowledgement to every port that the system chooses from finds the port of the transfer, and costs less than what follows it may cost the victim.</summary>
    [RootFact]
    public async Task Forged_AcknowledgementToEveryPort_IsWorthLessThanThreeTimesItsBytes()
    {
        const double mostFactor = 3;
        await using var host = await StartAsync(fileBytes: 4_000_000);
        var server = new IPEndPoint(IPAddress.Loopback, await host.Admin.GetPortAsync("tftp"));
        var victim = new IPEndPoint(Victim, 40000);
        var request = Encoding.ASCII.GetBytes("\0\u0001big\0octet\0blksize\065464\0windowsize\064\0timeout\01\0");
        Forger.Send(victim, server, request);
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Any(c => c.BytesSent > 0), () => host.Log);

        var range = (await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_local_port_range")).Split('\t').Select(int.Parse).ToArray();
        var forged = (long)request.Length + Headers;
        Forger.SendToPorts(victim, server.Address, range[0], range[1], "\0\u0004\0\0"u8);
        forged += (range[1] - range[0] + 1L) * (4 + Headers);

        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_tftp_transfers_total", "direction=\"read\"") == 1, () => host.Log);
        var metrics = await host.Admin.GetMetricsAsync();
        Assert.Equal(1, metrics.Sum("perch_tftp_transfers_total", "direction=\"read\"", "outcome=\"timeout\""));
        // The port was found: without an acknowledgement no block is sent.
        var sent = await SentAsync(host);
        Assert.InRange(sent, 64 * 1024, mostFactor * forged);
    }

    [RootFact]
    public async Task Forged_Errors_AreNeverAnswered()
    {
        await using var host = await StartAsync();
        var server = new IPEndPoint(IPAddress.Loopback, await host.Admin.GetPortAsync("tftp"));
        var (received, sent) = await CountsAsync(host);

        for (var i = 0; i < 100; i++) Forger.Send(new(Victim, 40000 + i), server, "\0\u0005\0\u0005x\0"u8);

        await Poll.UntilAsync(async () => (await CountsAsync(host)).Received == received + 100, () => host.Log);
        Assert.Equal(sent, (await CountsAsync(host)).Sent);
    }

    private static async Task<(double Received, double Sent)> CountsAsync(PerchHost host)
    {
        var metrics = await host.Admin.GetMetricsAsync();
        return (metrics.Sum("perch_datagrams_received_total"), metrics.Sum("perch_datagrams_sent_total"));
    }

    private static async Task<PerchHost> StartAsync(int fileBytes = 100_000)
    {
        var host = await PerchHost.StartAsync(new ServerSettings { Log = "Warning" }
            .With("tftp", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true, "SinglePort": false, "Timeout": "00:00:00.0500000", "MaxTransfersPerSource": 1000 } }"""));
        var folder = Path.Combine(host.Folder.Root, "put");
        await File.WriteAllBytesAsync(folder, new byte[fileBytes]);
        await Neighbour.RunAsync("curl", ["-sS", "--tftp-blksize", "60000", "-T", folder, $"tftp://127.0.0.1:{await host.Admin.GetPortAsync("tftp")}/big"], "");
        await UntilAsync(host, "perch_tftp_transfers_total", 1);
        return host;
    }

    /// <summary>Asks for the victim, and waits until all is over.</summary>
    private static async Task ForgeAsync(PerchHost host, byte[] request, int requests)
    {
        var server = new IPEndPoint(IPAddress.Loopback, await host.Admin.GetPortAsync("tftp"));
        for (var i = 0; i < requests; i++) Forger.Send(new(Victim, 40000 + i), server, request);
        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_tftp_transfers_total", "outcome=\"no-peer\"") == requests, () => host.Log);
    }

    /// <summary>Bytes on the wire to forged peers, from what the sessions of the endpoint have told at their end.</summary>
    private static async Task<long> SentAsync(PerchHost host)
    {
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).All(c => !c.Peer.StartsWith(Victim.ToString(), StringComparison.Ordinal)), () => host.Log);
        var sessions = (await host.Admin.GetRecentAsync()).Where(c => c.Peer.StartsWith(Victim.ToString(), StringComparison.Ordinal)).ToList();
        var metrics = await host.Admin.GetMetricsAsync();
        var resent = metrics.Sum("perch_tftp_resent_total", "direction=\"read\"") - metrics.Sum("perch_datagrams_dropped_total", "reason=\"budget\"");
        return sessions.Sum(s => s.BytesSent) + (long)((sessions.Count + resent) * Headers);
    }

    private static Task<TimeSpan> UntilAsync(PerchHost host, string metric, int atLeast) => Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum(metric, "endpoint=\"tftp\"") >= atLeast, () => host.Log);
}

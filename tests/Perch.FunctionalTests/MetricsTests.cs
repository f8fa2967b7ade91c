using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

public sealed class MetricsTests
{
    private const string Line = """{ "Port": 0, "Protocol": "echo", "Options": { "Framing": "Line" } }""";

    [Fact]
    public async Task Counters_AfterTraffic_AgreeWithWhatTheClientsCounted()
    {
        const int Clients = 50;
        const int Burst = 200;
        await using var host = await PerchHost.StartAsync(new ServerSettings { Log = "Error" }.With("echo", Line).With("idle", Line));
        var port = await host.Admin.GetPortAsync("echo");
        var counted = await Task.WhenAll(Enumerable.Range(0, Clients).Select(async number =>
        {
            using var client = await Client.ConnectAsync(port);
            var (sent, received) = (0, 0);
            for (var i = 0; i < 5; i++)
            {
                var text = $"client {number} says {i}\n";
                Assert.Equal(text.Length + 3, (await client.AskAsync(text, text.Length + 3)).Length);
                (sent, received) = (sent + text.Length, received + text.Length + 3);
            }

            // Many messages in one send count one by one.
            await client.SendAsync(string.Concat(Enumerable.Repeat("x\r\n", Burst)));
            Assert.Equal(5 * Burst, (await client.ReceiveAsync(5 * Burst)).Length);
            (sent, received) = (sent + (3 * Burst), received + (5 * Burst));
            if (number % 5 == 0)
            {
                client.Reset();
            }
            else if (number % 5 == 1)
            {
                await client.SendAsync("half");
                client.EndInput();
                sent += 4;
                Assert.Empty(await client.ReceiveToEndAsync());
            }
            else
            {
                client.EndInput();
                Assert.Empty(await client.ReceiveToEndAsync());
            }

            return (Sent: sent, Received: received);
        }));

        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_connections_ended_total", "endpoint=\"echo\"") == Clients, () => "all have ended");
        var metrics = await host.Admin.GetMetricsAsync();
        double Of(string name) => metrics.Sum(name, "endpoint=\"echo\"", "protocol=\"echo\"");
        Assert.Equal(counted.Sum(c => c.Sent), Of("perch_bytes_received_bytes_total"));
        Assert.Equal(counted.Sum(c => c.Received), Of("perch_bytes_sent_bytes_total"));
        Assert.Equal(Clients * (5 + Burst), Of("perch_messages_total"));
        Assert.Equal(Clients, Of("perch_connections_accepted_total"));
        Assert.Equal(0, Of("perch_connections_active"));
        Assert.Equal((10, 10, 30), ((int)metrics.Ended("echo", "PeerReset"), (int)metrics.Ended("echo", "ProtocolViolation"), (int)metrics.Ended("echo", "PeerClosed")));
        Assert.Equal(Clients, Of("perch_connection_duration_seconds_count"));
        Assert.Equal(Clients * (5 + Burst), Of("perch_message_duration_seconds_count"));
        Assert.Equal(0, metrics.Sum("perch_connections_accepted_total", "endpoint=\"idle\""));
        Assert.Equal(1, metrics.Sum("perch_endpoint_state", "endpoint=\"idle\"", "state=\"Listening\""));
        Assert.DoesNotContain("127.0.0.1", metrics.Text, StringComparison.Ordinal);
    }

    [NeighbourFact("promtool")]
    public async Task Scrape_WithTrafficOnTheServer_PassesPromtool()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", Line).With("weird \"name\"\\", Line));
        foreach (var endpoint in (string[])["echo", "weird \"name\"\\"])
        {
            using var client = await host.ConnectAsync(endpoint);
            for (var i = 0; i < 10; i++) Assert.Equal("GOT:x", await client.AskAsync("x\n", 5));
        }

        using var still = await host.ConnectAsync("echo");
        Assert.Equal("GOT:x", await still.AskAsync("x\n", 5));
        await Poll.UntilAsync(async () => (await host.Admin.GetRecentAsync()).Count == 2, () => "two have ended");
        Assert.Equal("", await Neighbour.RunAsync("promtool", ["check", "metrics"], (await host.Admin.GetMetricsAsync()).Text));
    }

    [NeighbourFact("prometheus")]
    public async Task Prometheus_ScrapesTheServer_CountsWhatTheClientCounted()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", Line));
        using (var client = await host.ConnectAsync("echo"))
        {
            for (var i = 0; i < 42; i++) Assert.Equal("GOT:x", await client.AskAsync("x\n", 5));
        }

        using var folder = new ServerFolder();
        var config = Path.Combine(folder.Root, "prometheus.yml");
        await File.WriteAllTextAsync(config, $"""
            global:
              scrape_interval: 500ms
              scrape_timeout: 500ms
            scrape_configs:
              - job_name: perch
                static_configs:
                  - targets: ["{new Uri(host.Admin.Url).Authority}"]
            """);
        var url = $"http://127.0.0.1:{FreePort()}";
        await using var prometheus = Neighbour.Start("prometheus",
        [
            $"--config.file={config}", $"--storage.tsdb.path={Path.Combine(folder.Root, "data")}", $"--web.listen-address={new Uri(url).Authority}",
        ]);
        using var http = new HttpClient { BaseAddress = new Uri(url), Timeout = Poll.Deadline };
        await Poll.UntilAsync(async () => await ValueAsync(http, "up{job=\"perch\"}") == 1, () => $"the target is up: {prometheus.Output}");
        await Poll.UntilAsync(async () => await ValueAsync(http, "sum(perch_messages_total{endpoint=\"echo\"})") == 42, () => "42 messages are counted");
        Assert.Equal(1, await ValueAsync(http, "perch_connections_ended_total{endpoint=\"echo\",outcome=\"PeerClosed\"}"));
        Assert.Equal(0, await ValueAsync(http, "perch_connections_active{endpoint=\"echo\"}"));
    }

    /// <returns>Null while Prometheus does not answer, or knows no sample.</returns>
    private static async Task<double?> ValueAsync(HttpClient http, string query)
    {
        try
        {
            using var response = await http.GetAsync(new Uri($"/api/v1/query?query={Uri.EscapeDataString(query)}", UriKind.Relative));
            if (response.StatusCode != HttpStatusCode.OK) return null;
            var result = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["data"]!["result"]!.AsArray();
            return result.Count == 0 ? null : double.Parse(Assert.Single(result)!["value"]![1]!.GetValue<string>(), CultureInfo.InvariantCulture);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}

using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;
using Perch.FunctionalTests.Record;

namespace Perch.FunctionalTests.Datagrams;

/// <summary>UDP endpoints in the whole server: shown, measured, failed, changed and stopped like those of TCP.</summary>
public sealed class UdpEndpointTests
{
    private const string Echo = """{ "Port": 0, "Transport": "Udp", "Protocol": "echo" }""";

    [Fact]
    public async Task Endpoint_OnThePortOfATcpOne_IsShownAndMeasured()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("tcp", """{ "Port": 0, "Protocol": "echo" }"""));
        var port = await host.Admin.GetPortAsync("tcp");
        host.Folder.Write(new ServerSettings().With("tcp", """{ "Port": 0, "Protocol": "echo" }""").With("udp", $$"""{ "Port": {{port}}, "Transport": "Udp", "Protocol": "echo" }""").ToString());
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("udp") is not null, () => host.Log);

        using var peer = await UdpClientSocket.ConnectAsync(host.Admin, "udp");
        using var tcp = await host.ConnectAsync("tcp");
        Assert.Equal("GOT:a", await peer.AskAsync("a"));
        Assert.Equal("GOT:b", await tcp.AskAsync("b", 5));
        peer.Send(new byte[1001]);

        Assert.Equal($"udp 127.0.0.1:{port}", (await host.Admin.FindListeningAsync("udp"))!.Address);
        var metrics = await host.Admin.GetMetricsAsync();
        const string Labels = "endpoint=\"udp\",protocol=\"echo\"";
        await Poll.UntilAsync(async () => (metrics = await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_received_total", Labels) == 2, () => metrics.Text);
        Assert.Equal(1, metrics.Sum("perch_datagrams_sent_total", Labels));
        Assert.Equal(1, metrics.Sum("perch_datagrams_dropped_total", Labels, "reason=\"truncated\""));
        Assert.Equal(0, metrics.Sum("perch_datagrams_dropped_total", Labels, "reason=\"kernel\""));
        Assert.Equal(1, metrics.Sum("perch_messages_total", Labels));
        Assert.Equal(5, metrics.Sum("perch_bytes_sent_bytes_total", Labels));
        Assert.Equal(1, metrics.Sum("perch_message_duration_seconds_count", Labels));
        Assert.Equal(1, metrics.Sum("perch_endpoint_state", Labels, "state=\"Listening\""));
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
    }

    [Fact]
    public async Task Endpoint_WhosePortIsTaken_FailsAlone()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", Echo)
            .With("taken", $$"""{ "Port": {{((IPEndPoint)taken.LocalEndPoint!).Port}}, "Transport": "Udp", "Protocol": "echo" }"""));

        var row = (await host.Admin.GetEndpointsAsync()).Single(e => e.Name == "taken");
        Assert.Equal(("Failed", "address in use: stop the process that has it, change the endpoint's Port, or set its Enabled to false"), (row.State, row.Reason));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await host.Admin.GetReadyAsync()).Status);
        using var peer = await UdpClientSocket.ConnectAsync(host.Admin, "echo");
        Assert.Equal("GOT:x", await peer.AskAsync("x"));
        taken.Dispose();
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("taken") is not null, () => host.Log);
    }

    [Fact]
    public async Task Check_OfUdpEndpoints_NamesThem()
    {
        using var folder = new ServerFolder(new ServerSettings().With("u", """{ "Port": 5, "Transport": "Udp", "Protocol": "echo" }""").With("t", """{ "Port": 5, "Protocol": "echo" }"""));
        var ended = await ServerProcess.RunAsync(folder, "--check");
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("udp 127.0.0.1:5", ended.Output, StringComparison.Ordinal);

        using var faulty = new ServerFolder(new ServerSettings().With("u", """{ "Port": 5, "Transport": "Udp", "Protocol": "chargen" }"""));
        ended = await ServerProcess.RunAsync(faulty, "--check");
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("Perch:Endpoints:u:Protocol: 'chargen' does not serve UDP. Write another Transport, or one of: bytes, daytime, discard, echo, hello, record, reply", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reload_UnderTraffic_LosesNothingAndSwapsTheHandler()
    {
        var settings = new ServerSettings { Log = "Warning" }.With("echo", Echo).With("moving", Echo);
        await using var host = await PerchHost.StartAsync(settings);
        using var peer = await UdpClientSocket.ConnectAsync(host.Admin, "echo");
        for (var version = 1; version <= 3; version++)
        {
            var prefix = $"{version}:";
            host.Folder.Write(settings.With("echo", $$"""{ "Port": 0, "Transport": "Udp", "Protocol": "echo", "Options": { "Prefix": "{{prefix}}" } }""")
                .With("moving", $$"""{ "Port": 0, "Transport": "Udp", "Protocol": "echo", "ReceiveBufferBytes": {{4096 * version}} }""").ToString());
            var asked = 0;
            while (await peer.AskAsync("x") != $"{prefix}x")
            {
                asked++;
                await Task.Delay(1);
            }

            Assert.True(asked > 0, "the change came before any traffic");
        }

        Assert.Equal(0, (await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_dropped_total", "endpoint=\"echo\""));
    }

    [Fact]
    public async Task Stop_UnderTraffic_EndsWithZeroAndEveryAcknowledgedRecordIsThere()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }
            .With("acked", """{ "Port": 0, "Transport": "Udp", "Protocol": "record", "Options": { "Ack": "OK {id}" }, "Guards": { "RepliesPerSecond": 0 } }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var peer = await UdpClientSocket.ConnectAsync(server.Admin, "acked");
        var acknowledged = await SendUntilGoneAsync(peer, () => server.Signal(ServerProcess.Sigterm));

        var ended = await server.WaitForExitAsync();

        Assert.Equal(0, ended.ExitCode);
        await AssertStoredAsync(folder, acknowledged);
    }

    [Fact]
    public async Task Kill_UnderTraffic_EveryAcknowledgedRecordIsThere()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }
            .With("acked", """{ "Port": 0, "Transport": "Udp", "Protocol": "record", "Options": { "Ack": "OK {id}" }, "Guards": { "RepliesPerSecond": 0 } }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var peer = await UdpClientSocket.ConnectAsync(server.Admin, "acked");
        var acknowledged = await SendUntilGoneAsync(peer, () => server.Signal(ServerProcess.Sigkill));
        await server.WaitForExitAsync();

        await AssertStoredAsync(folder, acknowledged);
    }

    /// <returns>The highest id that was acknowledged; each before it was too, since they were asked for one by one.</returns>
    private static async Task<long> SendUntilGoneAsync(UdpClientSocket peer, Action end)
    {
        const int BeforeTheEnd = 200;
        long last = 0;
        try
        {
            for (var i = 1; ; i++)
            {
                var answer = await peer.AskAsync($"record {i}", i > BeforeTheEnd ? TimeSpan.FromSeconds(1) : Poll.Deadline);
                Assert.Equal($"OK {i}", answer);
                last = i;
                if (i == BeforeTheEnd) end();
            }
        }
        catch (SocketException)
        {
            // Nobody is at the port any more.
        }
        catch (OperationCanceledException)
        {
            // The last one came too late to be answered, and too early to be refused.
        }

        Assert.True(last >= BeforeTheEnd);
        return last;
    }

    private static async Task AssertStoredAsync(ServerFolder folder, long acknowledged)
    {
        await using var again = await ServerProcess.StartAsync(folder);
        var records = await RecordReader.AllAsync(again.Admin);
        Assert.InRange(records.Count, acknowledged, acknowledged + 1);
        Assert.Equal(Enumerable.Range(1, records.Count).Select(i => $"record {i}"), records.Select(r => r["data"]!.GetValue<string>()));
    }
}

using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;
using Perch.OtlpReceiver;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>The server's executable and an OTLP receiver, as an operator runs them.</summary>
public sealed class OtlpProcessTests
{
    private const string Tftp =
        """{ "Port": 0, "Address": "127.0.0.1", "Protocol": "tftp", "Transport": "Udp", "Options": { "AllowWrite": true } }""";

    [Fact]
    public async Task Server_WithACollector_ExportsSpansMetricsAndLogs()
    {
        await using var collector = await OtlpReceiverProcess.StartAsync();
        using var folder = new ServerFolder(Settings());
        await using var server = await ServerProcess.StartAsync(folder, Environment(collector.Url));
        var echo = await TalkAsync(server, "echo", "hello", "GOT:hello");
        var hello = await TalkAsync(server, "hello", "you", "-");
        var lines = await TalkAsync(server, "lines", "a\nb\n", "OK 1\nOK 2\n");
        var transfer = await WriteFileAsync(await server.Admin.GetPortAsync("tftp"));
        server.Signal(ServerProcess.Sigterm);
        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);

        var received = await collector.StopAsync();
        Assert.All(received, item => Assert.Equal("perch", item.Service));
        AssertSpans(received, echo, lines, transfer);
        AssertMetrics(received);
        AssertEndLog(received, server.Output, echo);
        AssertHandlerLog(received, hello);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Server_WithoutItsCollector_ServesAndStops(bool isSilent)
    {
        // A port that refuses, or one that accepts and never answers.
        using var collector = new TcpListener(IPAddress.Loopback, 0);
        collector.Start();
        var url = $"http://{collector.LocalEndpoint}";
        if (!isSilent) collector.Stop();
        using var folder = new ServerFolder(Settings());
        await using var server = await ServerProcess.StartAsync(folder, Environment(url));
        await TalkAsync(server, "echo", "hello", "GOT:hello");
        await TalkAsync(server, "lines", "a\n", "OK 1\n");
        if (!isSilent)
        {
            await Poll.UntilAsync(() => Failures(server) > 0, () => server.Output);
            await Poll.UntilAsync(async () => (await server.Admin.GetMetricsAsync()).Sum("perch_telemetry_export_failures_total") > 1, () => server.Output);
        }

        server.Signal(ServerProcess.Sigterm);

        Assert.Equal(0, (await server.WaitForExitAsync()).ExitCode);
        // However many exports fail: one warning a minute.
        if (!isSilent)
            Assert.InRange(Failures(server), 1, 2);
    }

    private static int Failures(ServerProcess server) => server.Output.Split("An export over OTLP failed").Length - 1;

    private static ServerSettings Settings() => new ServerSettings()
        .With("echo", """{ "Port": 0, "Protocol": "echo" }""")
        .With("hello", """{ "Port": 0, "Protocol": "hello" }""")
        .With("lines", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""")
        .With("tftp", Tftp);

    private static Dictionary<string, string> Environment(string url) => new()
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url,
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        // Several exports before the one at the stop.
        ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
        ["OTEL_BLRP_SCHEDULE_DELAY"] = "100",
        ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",
    };

    /// <returns>The client's address, which identifies the connection.</returns>
    private static async Task<string> TalkAsync(ServerProcess server, string endpoint, string message, string answer)
    {
        using var client = await server.ConnectAsync(endpoint);
        Assert.Equal(answer, await client.AskAsync(message, answer.Length));
        return client.LocalAddress;
    }

    /// <summary>RFC 1350: a write request, and one block that is the last.</summary>
    /// <returns>The client's port.</returns>
    private static async Task<int> WriteFileAsync(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var limit = new CancellationTokenSource(Poll.Deadline);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var answer = new byte[512];
        await socket.SendToAsync("\0\u0002boot\0octet\0"u8.ToArray(), new IPEndPoint(IPAddress.Loopback, port), limit.Token);
        var from = await socket.ReceiveFromAsync(answer, new IPEndPoint(IPAddress.Any, 0), limit.Token);
        Assert.Equal([0, 4, 0, 0], answer[..from.ReceivedBytes]);
        await socket.SendToAsync("\0\u0003\0\u0001file"u8.ToArray(), from.RemoteEndPoint, limit.Token);
        var last = await socket.ReceiveFromAsync(answer, from.RemoteEndPoint, limit.Token);
        Assert.Equal([0, 4, 0, 1], answer[..last.ReceivedBytes]);
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static void AssertSpans(IReadOnlyList<Received> received, string echo, string lines, int transfer)
    {
        var spans = received.Where(item => item is { Signal: "span", Scope: "Perch" }).ToList();
        var echoed = Span(received, "echo");
        Assert.Equal(("echo", 2, 0, ""), (echoed.Name, echoed.Kind, echoed.Status, echoed.ParentSpanId));
        Assert.Equal(IPEndPoint.Parse(echo).Port, int.Parse(echoed.Attributes["client.port"], null));
        Assert.Equal(("tcp", "127.0.0.1"), (echoed.Attributes["network.transport"], echoed.Attributes["client.address"]));
        Assert.Equal(
            ["PeerClosed", "5", "9", "1"],
            ((string[])["outcome", "bytes.received", "bytes.sent", "messages"]).Select(name => echoed.Attributes[$"perch.{name}"]));
        Assert.Equal(["first_byte"], echoed.Events);

        var recorded = Span(received, "lines");
        Assert.Equal(IPEndPoint.Parse(lines).Port, int.Parse(recorded.Attributes["client.port"], null));
        Assert.Equal(["first_byte", "store"], recorded.Events.Distinct());
        var commits = spans.Where(span => span.Name == "record commit").ToList();
        Assert.Equal(2, commits.Sum(span => int.Parse(span.Attributes["perch.record.rows"], null)));
        Assert.All(commits, span => Assert.Equal((1, "", "Sqlite"), (span.Kind, span.ParentSpanId, span.Attributes["perch.store"])));
        Assert.All(commits, span => Assert.Equal([recorded.SpanId], span.Links));

        var stored = Span(received, "tftp");
        Assert.Equal(
            ["udp", $"{transfer}", "Completed"],
            ((string[])["network.transport", "client.port", "perch.outcome"]).Select(name => stored.Attributes[name]));
        Assert.Equal(["store"], stored.Events);
    }

    private static string Attribute(Received item, string name) => item.Attributes.GetValueOrDefault(name, "");

    private static void AssertMetrics(IReadOnlyList<Received> received)
    {
        Assert.Equal(1, Last("perch.connections.accepted", "echo"));
        Assert.Equal(1, Last("perch.messages", "echo"));
        Assert.Equal(2, Last("perch.records.stored", "lines"));
        Assert.Equal(4, Last("perch.files.received", "tftp"));

        // Cumulative: the last export has the total.
        double Last(string metric, string endpoint) =>
            received.Last(item => item.Signal == "metric" && item.Name == metric && Attribute(item, "endpoint") == endpoint).Value;
    }

    private static void AssertEndLog(IReadOnlyList<Received> received, string console, string echo)
    {
        var line = Assert.Single(received, item => item.Signal == "log" && Attribute(item, "Peer") == echo && Attribute(item, "Outcome") != "");
        var span = Span(received, "echo");
        Assert.Equal((span.TraceId, span.SpanId), (line.TraceId, line.SpanId));
        Assert.Equal(("echo", "PeerClosed"), (line.Attributes["Endpoint"], line.Attributes["Outcome"]));
        Assert.Contains($"Connection {line.Attributes["ConnectionId"]} ended: endpoint echo, ", console, StringComparison.Ordinal);
        // The text formatter writes the trace too.
        Assert.Contains($"1 messages, trace {span.TraceId}", console, StringComparison.Ordinal);
    }

    /// <summary>The message of the line names no connection: the fields are added to it.</summary>
    private static void AssertHandlerLog(IReadOnlyList<Received> received, string hello)
    {
        var line = Assert.Single(received, item => item.Signal == "log" && Attribute(item, "Name") == "YOU");
        var span = Span(received, "hello");
        Assert.Equal((span.TraceId, span.SpanId), (line.TraceId, line.SpanId));
        Assert.Equal(("hello", hello), (Attribute(line, "Endpoint"), Attribute(line, "Peer")));
        Assert.NotEqual("", Attribute(line, "ConnectionId"));
    }

    private static Received Span(IReadOnlyList<Received> received, string endpoint) =>
        Assert.Single(received, item => item.Signal == "span" && Attribute(item, "perch.endpoint") == endpoint);
}

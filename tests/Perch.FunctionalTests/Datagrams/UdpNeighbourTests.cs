using System.Globalization;
using Perch.FunctionalTests.Hosting;
using Perch.FunctionalTests.Record;

namespace Perch.FunctionalTests.Datagrams;

/// <summary>Other people's programs over UDP.</summary>
public sealed class UdpNeighbourTests
{
    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("echo", """{ "Port": 0, "Transport": "Udp", "Protocol": "echo" }""")
        .With("bytes", """{ "Port": 0, "Transport": "Udp", "Protocol": "bytes" }""")
        .With("daytime", """{ "Port": 0, "Transport": "Udp", "Protocol": "daytime" }""")
        .With("syslog", """{ "Port": 0, "Transport": "Udp", "Protocol": "record", "Options": { "Framing": "Syslog" } }""")
        .With("acked", """{ "Port": 0, "Transport": "Udp", "Protocol": "record", "Options": { "Ack": "OK {id}\n" } }""");

    [NeighbourTheory("nc")]
    [InlineData("echo", "Hello\n", "GOT:Hello\n")]
    [InlineData("bytes", "x", "\u0001\u0002\u0003\u0004")]
    [InlineData("acked", "one", "OK 1\n")]
    public async Task Netcat_ADatagram_IsAnswered(string endpoint, string text, string answer)
    {
        await using var host = await PerchHost.StartAsync(Settings);

        Assert.Equal(answer, await Neighbour.RunAsync("nc", ["-u", "-w1", "127.0.0.1", await PortAsync(host, endpoint)], text));
    }

    [NeighbourFact("socat")]
    public async Task Socat_ADatagram_IsAnswered()
    {
        await using var host = await PerchHost.StartAsync(Settings);

        Assert.Equal("GOT:Hello", await Neighbour.RunAsync("socat", ["-t1", "-", $"UDP:127.0.0.1:{await PortAsync(host, "echo")}"], "Hello"));
        Assert.EndsWith(" UTC\r\n", await Neighbour.RunAsync("socat", ["-t1", "-", $"UDP:127.0.0.1:{await PortAsync(host, "daytime")}"], "?"), StringComparison.Ordinal);
    }

    [NeighbourFact("python3")]
    public async Task Python_TheTutorialsSocket_TalksToEachPort()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var script = $"""
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(10)
            for text in (b"Hello", b"", "日本語".encode()):
                s.sendto(text, ("127.0.0.1", {await PortAsync(host, "echo")}))
                print(s.recv(1024).decode())
            s.sendto(bytes([1, 2, 3, 4]), ("127.0.0.1", {await PortAsync(host, "bytes")}))
            print(list(s.recv(1024)))
            """;

        Assert.Equal("GOT:Hello\nGOT:\nGOT:日本語\n[1, 2, 3, 4]\n", await Neighbour.RunAsync("python3", ["-c", script], ""));
    }

    [NeighbourFact("logger")]
    public async Task Logger_OverUdp_IsStored()
    {
        await using var host = await PerchHost.StartAsync(Settings);

        await Neighbour.RunAsync("logger", ["--server", "127.0.0.1", "--udp", "--port", await PortAsync(host, "syslog"), "--rfc5424"], "one\nzwei ü\n日本語\n");

        var texts = await RecordReader.TextsAsync(host, 3);
        Assert.Collection(texts,
            text => Assert.EndsWith(" one", text, StringComparison.Ordinal),
            text => Assert.EndsWith("zwei ü", text, StringComparison.Ordinal),
            text => Assert.EndsWith("日本語", text, StringComparison.Ordinal));
        var records = await RecordReader.AllAsync(host.Admin);
        Assert.All(records, record => Assert.StartsWith("127.0.0.1:", record["remote"]!.GetValue<string>(), StringComparison.Ordinal));
        Assert.All(records, record => Assert.Equal("syslog", record["endpoint"]!.GetValue<string>()));
    }

    /// <summary>Python adds NUL to each message; with <c>raw</c> the row would not be exact text.</summary>
    [NeighbourFact("python3")]
    public async Task PythonHandler_OverUdp_IsStoredWithoutItsNul()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await Neighbour.RunAsync("python3", ["-c", $"""
            import logging, logging.handlers
            logging.getLogger().addHandler(logging.handlers.SysLogHandler(("127.0.0.1", {await PortAsync(host, "syslog")})))
            logging.error("one")
            """], "");

        Assert.Equal(["<11>one"], await RecordReader.TextsAsync(host, 1));
    }

    [NeighbourFact("rsyslogd")]
    public async Task Rsyslog_ForwardedOverUdp_IsStored()
    {
        // What the receive buffer holds, however slow this machine is: over UDP nobody is held back.
        const int Count = 200;
        await using var host = await PerchHost.StartAsync(Settings);
        var folder = host.Folder.Root;
        var input = Path.Combine(folder, "input.log");
        await File.WriteAllLinesAsync(input, Enumerable.Range(0, Count).Select(i => $"line number {i}"));
        await File.WriteAllTextAsync(Path.Combine(folder, "rsyslog.conf"), $$"""
            global(workDirectory="{{folder}}")
            module(load="imfile" mode="polling" pollingInterval="1")
            input(type="imfile" file="{{input}}" tag="t:")
            action(type="omfwd" target="127.0.0.1" port="{{await PortAsync(host, "syslog")}}" protocol="udp")
            """);

        await using var rsyslog = Neighbour.Start("rsyslogd", ["-n", "-f", Path.Combine(folder, "rsyslog.conf"), "-i", Path.Combine(folder, "rsyslog.pid")]);

        var texts = await RecordReader.TextsAsync(host, Count);
        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"line number {i}"), texts.Select(text => text[text.IndexOf("line", StringComparison.Ordinal)..].TrimEnd()));
    }

    private static async Task<string> PortAsync(PerchHost host, string endpoint) => (await host.Admin.GetPortAsync(endpoint)).ToString(CultureInfo.InvariantCulture);
}

using System.Globalization;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>Other people's syslog senders fill the table: counts and texts agree.</summary>
public sealed class SenderTests
{
    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("syslog", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Syslog" } }""");

    [NeighbourTheory("logger")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Logger_Lines_AreStored(bool octetCount)
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var port = (await host.Admin.GetPortAsync("syslog")).ToString(CultureInfo.InvariantCulture);
        string[] arguments = ["--server", "127.0.0.1", "--tcp", "--port", port, "--rfc5424", .. octetCount ? ["--octet-count"] : Array.Empty<string>()];

        await Neighbour.RunAsync("logger", arguments, "one\nzwei ü\n日本語\n");

        var texts = await RecordReader.TextsAsync(host, 3);
        Assert.Collection(texts,
            text => Assert.EndsWith(" one", text, StringComparison.Ordinal),
            text => Assert.EndsWith("zwei ü", text, StringComparison.Ordinal),
            text => Assert.EndsWith("日本語", text, StringComparison.Ordinal));
        Assert.All(texts, text => Assert.StartsWith("<13>1 ", text, StringComparison.Ordinal));
    }

    /// <summary>Python ends each message with NUL, also over TCP.</summary>
    [NeighbourFact("python3")]
    public async Task PythonHandler_OverTcp_EachMessageIsARecordWhileTheConnectionIsOpen()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var port = await host.Admin.GetPortAsync("syslog");
        await using var python = Neighbour.Start("python3", ["-c", $"""
            import logging, logging.handlers, socket, sys
            logging.getLogger().addHandler(logging.handlers.SysLogHandler(("127.0.0.1", {port}), socktype=socket.SOCK_STREAM))
            for text in ("one", "two", "three"): logging.error(text)
            sys.stdin.read()
            """]);

        Assert.Equal(["<11>one", "<11>two", "<11>three"], await RecordReader.TextsAsync(host, 3));
    }

    [NeighbourFact("nc")]
    public async Task Netcat_NoLineEnd_IsStored()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var port = (await host.Admin.GetPortAsync("syslog")).ToString(CultureInfo.InvariantCulture);

        await Neighbour.RunAsync("nc", ["-N", "127.0.0.1", port], "<13>x");

        Assert.Equal(["<13>x"], await RecordReader.TextsAsync(host, 1));
    }

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task Reset_PartOfAMessage_IsNotStored(string engine)
    {
        var settings = Settings;
        settings.SocketEngine = engine;
        await using var host = await PerchHost.StartAsync(settings);
        using var client = await Client.ConnectAsync(await host.Admin.GetPortAsync("syslog"));
        await client.SendAsync("<13>whole\n<13>ha");
        await RecordReader.TextsAsync(host, 1);

        client.Reset();

        await Poll.UntilAsync(
            async () => (await host.Admin.GetMetricsAsync()).Ended("syslog", "PeerReset") == 1, () => $"the reset is seen: {host.Log}");
        Assert.Equal(["<13>whole"], await RecordReader.TextsAsync(host, 1));
    }

    [NeighbourTheory("rsyslogd")]
    [InlineData("traditional")]
    [InlineData("octet-counted")]
    public async Task Rsyslog_Forwarded_AreStored(string framing)
    {
        const int Count = 500;
        await using var host = await PerchHost.StartAsync(Settings);
        var folder = host.Folder.Root;
        var input = Path.Combine(folder, "input.log");
        await File.WriteAllLinesAsync(input, Enumerable.Range(0, Count).Select(i => $"line number {i}"));
        await File.WriteAllTextAsync(Path.Combine(folder, "rsyslog.conf"), $$"""
            global(workDirectory="{{folder}}")
            module(load="imfile" mode="polling" pollingInterval="1")
            input(type="imfile" file="{{input}}" tag="t:")
            action(type="omfwd" target="127.0.0.1" port="{{await host.Admin.GetPortAsync("syslog")}}" protocol="tcp" TCP_Framing="{{framing}}")
            """);

        await using var rsyslog = Neighbour.Start("rsyslogd", ["-n", "-f", Path.Combine(folder, "rsyslog.conf"), "-i", Path.Combine(folder, "rsyslog.pid")]);

        var texts = await RecordReader.TextsAsync(host, Count);
        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"line number {i}"), texts.Select(text => text[text.IndexOf("line", StringComparison.Ordinal)..]));
    }

    [NeighbourFact("loggen")]
    public async Task Loggen_AtFullRate_IsStoredToTheLast()
    {
        const int Count = 20_000;
        await using var host = await PerchHost.StartAsync(Settings);
        var port = (await host.Admin.GetPortAsync("syslog")).ToString(CultureInfo.InvariantCulture);

        var output = await Neighbour.RunAsync("loggen", ["--inet", "--stream", "--number", $"{Count}", "--rate", "1000000", "--size", "200", "--active-connections", "1", "127.0.0.1", port], "");

        Assert.Contains($"count={Count}", output, StringComparison.Ordinal);
        Assert.Equal(Count, (await RecordReader.TextsAsync(host, Count)).Count);
    }
}

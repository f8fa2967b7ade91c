using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;
using Xunit.Abstractions;

namespace Perch.FunctionalTests.Datagrams;

/// <summary>What a hostile peer, or a forged one, makes of a UDP endpoint: nothing.</summary>
[Collection(AloneCollection.Name)]
public sealed class UdpHostileTests(ITestOutputHelper output)
{
    [RootFact]
    public async Task Forged_SmallQueryForALargeReply_SendsNothing()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings()
            .With("bytes", $$"""{ "Port": 0, "Transport": "Udp", "Protocol": "bytes", "Options": { "Payload": "{{new string('0', 2048)}}" } }"""));
        using var victim = new UdpClientSocket(new(IPAddress.Loopback, await host.Admin.GetPortAsync("bytes")), new(IPAddress.Parse("127.0.0.77"), 0));
        var server = new IPEndPoint(IPAddress.Loopback, await host.Admin.GetPortAsync("bytes"));

        for (var i = 0; i < 100; i++) Forger.Send(new(IPAddress.Parse("127.0.0.77"), 40000 + i), server, "x"u8);

        await DroppedAsync(host, "bytes", "budget", 100);
        Assert.Equal(0, (await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_sent_total", "endpoint=\"bytes\""));
        Assert.False(victim.HasReply);
    }

    [RootFact]
    public async Task Forged_FromThePortOfAReflector_IsNotAnswered()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", """{ "Port": 0, "Transport": "Udp", "Protocol": "echo" }"""));
        var server = new IPEndPoint(IPAddress.Loopback, await host.Admin.GetPortAsync("echo"));

        foreach (var port in new[] { 7, 13, 17, 19, 53, 69, 123, 1900, 11211, 0, server.Port }) Forger.Send(new(IPAddress.Parse("127.0.0.78"), port), server, "x"u8);

        await DroppedAsync(host, "echo", "source-port", 11);
        Assert.Equal(0, (await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_sent_total", "endpoint=\"echo\""));
    }

    [RootFact]
    public async Task Forged_BetweenTwoServersOnOnePort_DiesAtOnce()
    {
        await using var first = await PerchHost.StartAsync(Loop("127.0.0.1", 0));
        var port = await first.Admin.GetPortAsync("echo");
        await using var second = await PerchHost.StartAsync(Loop("127.0.0.2", port));

        Forger.Send(new(IPAddress.Parse("127.0.0.2"), port), new(IPAddress.Loopback, port), "x"u8);

        await DroppedAsync(first, "echo", "source-port", 1);
        Assert.Equal(0, await ReceivedAsync(second));
    }

    [RootFact]
    public async Task Forged_BetweenTwoServersOnOtherPorts_DiesWithTheRate()
    {
        await using var first = await PerchHost.StartAsync(Loop("127.0.0.1", 0, perSecond: 50));
        await using var second = await PerchHost.StartAsync(Loop("127.0.0.2", 0, perSecond: 50));

        Forger.Send(new(IPAddress.Parse("127.0.0.2"), await second.Admin.GetPortAsync("echo")), new(IPAddress.Loopback, await first.Admin.GetPortAsync("echo")), "x"u8);

        await Poll.UntilAsync(async () => await RateDropsAsync(first) + await RateDropsAsync(second) == 1, () => first.Log);
        var rounds = await ReceivedAsync(first);
        Assert.InRange(rounds, 50, 1000);
        Assert.Equal((rounds, 1), (await ReceivedAsync(first), await RateDropsAsync(first) + await RateDropsAsync(second)));
    }

    [Fact]
    public async Task Datagrams_OfEverySize_AreAnsweredOrCounted()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", """{ "Port": 0, "Transport": "Udp", "Protocol": "echo", "Options": { "Prefix": "", "MaxMessageBytes": 65535 } }"""));
        using var peer = await UdpClientSocket.ConnectAsync(host.Admin, "echo");
        foreach (var size in new[] { 0, 1, 1472, 1473, 8192, 65_506, 65_507 })
        {
            var sent = new byte[size];
            new Random(size).NextBytes(sent);
            peer.Send(sent);
            Assert.Equal(sent, await peer.ReceiveAsync());
        }
    }

    [Fact]
    public async Task Flood_OfMoreThanIsTaken_IsCountedAndLeavesTheOthersAlone()
    {
        // A record endpoint in front of a disk is the slowest that there is.
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }
            .With("udp", """{ "Port": 0, "Transport": "Udp", "Protocol": "record", "ReceiveBufferBytes": 65536 }""")
            .With("echo", """{ "Port": 0, "Transport": "Udp", "Protocol": "echo", "Options": { "Prefix": "" } }""")
            .With("tcp", """{ "Port": 0, "Protocol": "echo", "Options": { "Prefix": "" } }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var tcp = await server.ConnectAsync("tcp");
        await tcp.AskAsync("x", 1);
        var memory = server.WorkingSet();
        using var stop = new CancellationTokenSource();
        var (udp, echo) = (await server.Admin.GetPortAsync("udp"), await server.Admin.GetPortAsync("echo"));
        var flood = Task.WhenAll(FloodAsync(udp, 512, stop.Token), FloodAsync(echo, 64, stop.Token));

        var times = new List<TimeSpan>();
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromSeconds(3);)
        {
            var asked = Stopwatch.GetTimestamp();
            Assert.Equal("x", await tcp.AskAsync("x", 1));
            times.Add(Stopwatch.GetElapsedTime(asked));
        }

        await stop.CancelAsync();
        var sent = (await flood).Sum();
        var metrics = await server.Admin.GetMetricsAsync();
        // What was sent was received, or the system has said that it was not.
        await Poll.UntilAsync(
            async () => (metrics = await server.Admin.GetMetricsAsync()).Sum("perch_datagrams_received_total") + metrics.Sum("perch_datagrams_dropped_total", "reason=\"kernel\"") == sent,
            () => $"{sent} sent: {metrics.Text}");
        Assert.True(metrics.Sum("perch_datagrams_dropped_total") > 0, "nothing was dropped: that is no flood");
        output.WriteLine($"{sent} sent, {metrics.Sum("perch_datagrams_received_total")} received, {metrics.Sum("perch_records_stored_total")} stored, "
            + $"MiB {memory >> 20} -> {server.WorkingSet() >> 20}, {times.Count} TCP echoes, 99 % within {times.Order().ElementAt(times.Count * 99 / 100).TotalMilliseconds:0.0} ms, the slowest {times.Max().TotalMilliseconds:0.0} ms");
        Assert.InRange(times.Max(), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.InRange(server.WorkingSet(), 0, memory + (192L << 20));
    }

    /// <summary>On a thread of its own: the pool's are for who asks meanwhile.</summary>
    private static Task<long> FloodAsync(int port, int bytes, CancellationToken stop) =>
        Task.Factory.StartNew(() => Flood(port, bytes, stop), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static long Flood(int port, int bytes, CancellationToken stop)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(new IPEndPoint(IPAddress.Loopback, port));
        var payload = new byte[bytes];
        payload.AsSpan().Fill((byte)'x');
        long sent = 0;
        while (!stop.IsCancellationRequested)
        {
            socket.Send(payload);
            sent++;
        }

        return sent;
    }

    private static ServerSettings Loop(string address, int port, int perSecond = 1000) => new ServerSettings()
        .With("echo", $$"""{ "Address": "{{address}}", "Port": {{port}}, "Transport": "Udp", "Protocol": "echo", "Options": { "Prefix": "" }, "Guards": { "RepliesPerSecond": {{perSecond}} } }""");

    private static async Task<double> ReceivedAsync(PerchHost host) => (await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_received_total");

    private static async Task<double> RateDropsAsync(PerchHost host) => (await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_dropped_total", "reason=\"rate\"");

    private static Task<TimeSpan> DroppedAsync(PerchHost host, string endpoint, string reason, int count) => Poll.UntilAsync(
        async () => (await host.Admin.GetMetricsAsync()).Sum("perch_datagrams_dropped_total", $"endpoint=\"{endpoint}\"", $"reason=\"{reason}\"") == count,
        () => $"{count} are dropped for {reason}: {host.Log}");
}

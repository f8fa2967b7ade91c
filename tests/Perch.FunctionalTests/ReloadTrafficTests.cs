using System.Diagnostics;
using System.Net;
using Perch.FunctionalTests.Hosting;
using Xunit.Abstractions;

namespace Perch.FunctionalTests;

public sealed class ReloadTrafficTests(ITestOutputHelper output)
{
    private const int Reloads = 100;
    private const int Clients = 20;
    private const string Blinking = """{ "Port": 0, "Protocol": "echo", "Options": { "Prefix": "A:" } }""";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>A message may wait this long for its echo; an interruption would take longer.</summary>
    private static readonly TimeSpan Slowest = TimeSpan.FromSeconds(5);

    [Fact]
    public async Task HundredReloads_TrafficOnAnotherEndpoint_LosesNothingAndLeavesNothing()
    {
        var settings = new ServerSettings { Log = "Warning" }
            .With("steady", """{ "Port": 0, "Protocol": "echo" }""")
            .With("blinking", Blinking);
        using var folder = new ServerFolder(settings);
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("steady");

        // A round of everything first, so that what is allocated once is there before it is counted.
        await ReloadAsync(server, folder, settings, 0);
        await ReloadAsync(server, folder, settings, 1);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => TalkAsync(port, new CancellationToken(canceled: true))));
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Count == 0, () => "no connection is left");
        var (descriptors, threads, memory) = (server.OpenDescriptors(), server.Threads(), server.WorkingSet());

        using var stop = new CancellationTokenSource();
        var traffic = Enumerable.Range(0, Clients).Select(_ => TalkAsync(port, stop.Token)).ToList();
        var slowest = TimeSpan.Zero;
        var total = Stopwatch.StartNew();
        for (var i = 0; i < Reloads; i++)
        {
            var took = await ReloadAsync(server, folder, settings, i);
            if (took > slowest) slowest = took;
            if (traffic.FirstOrDefault(t => t.IsCompleted) is { } failed) await failed;
        }

        total.Stop();
        await stop.CancelAsync();
        var messages = (await Task.WhenAll(traffic)).Sum();
        Assert.True(messages >= Reloads * Clients, $"only {messages} messages: that is no traffic");
        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Count == 0, () => "no connection is left");
        // The clients of this test, and those of its blinking endpoint that were drained.
        var metrics = await server.Admin.GetMetricsAsync();
        Assert.Equal(metrics.Sum("perch_connections_accepted_total", "endpoint=\"steady\""), metrics.Ended("steady", "PeerClosed"));
        Assert.Equal((Reloads / 2) + 1, metrics.Ended("blinking", "Drained"));
        Assert.Equal(metrics.Sum("perch_connections_accepted_total", "endpoint=\"blinking\""), metrics.Sum("perch_connections_ended_total", "endpoint=\"blinking\""));

        // The pool of threads shrinks with time; the admin client's own connections come and go.
        await Poll.UntilAsync(() => server.OpenDescriptors() <= descriptors + 4, () => $"{server.OpenDescriptors()} descriptors, {descriptors} before");
        await Poll.UntilAsync(() => server.Threads() <= threads + 4, () => $"{server.Threads()} threads, {threads} before", TimeSpan.FromSeconds(60));
        Assert.InRange(server.WorkingSet(), 0, memory + (64 << 20));
        output.WriteLine($"{Reloads} reloads in {total.Elapsed.TotalSeconds:0.0} s, the slowest {slowest.TotalMilliseconds:0} ms, {messages} messages; "
            + $"descriptors {descriptors} -> {server.OpenDescriptors()}, threads {threads} -> {server.Threads()}, MiB {memory >> 20} -> {server.WorkingSet() >> 20}");
    }

    /// <summary>Every other reload takes an endpoint away that has a connection; those between bring it back.</summary>
    private static async Task<TimeSpan> ReloadAsync(ServerProcess server, ServerFolder folder, ServerSettings settings, int round)
    {
        if (round % 2 == 0)
        {
            using var client = await server.ConnectAsync("blinking");
            Assert.Equal("A:x", await client.AskAsync("x", 3));
            folder.WriteByRename(settings.Without("blinking").ToString());
            var took = await Poll.UntilAsync(async () => (await server.Admin.GetEndpointsAsync()).All(e => e.Name != "blinking"), () => "blinking is gone", Limit);
            Assert.Empty(await client.ReceiveToEndAsync());
            return took;
        }

        folder.Write(settings.With("blinking", Blinking).ToString());
        var back = await Poll.UntilAsync(async () => await server.Admin.FindListeningAsync("blinking") is not null, () => "blinking is back", Limit);
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetReadyAsync()).Status);
        return back;
    }

    /// <returns>How many messages came back right.</returns>
    private static async Task<int> TalkAsync(int port, CancellationToken stop)
    {
        using var client = await Client.ConnectAsync(port);
        var messages = 0;
        do
        {
            var text = $"{messages:00000000}";
            var started = Stopwatch.GetTimestamp();
            Assert.Equal($"GOT:{text}", await client.AskAsync(text, 12));
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, Slowest);
            messages++;
            // Traffic, not load: the machine is shared with the reloads that are measured.
            await Task.Delay(TimeSpan.FromMilliseconds(5), CancellationToken.None);
        }
        while (!stop.IsCancellationRequested);
        client.EndInput();
        Assert.Empty(await client.ReceiveToEndAsync());
        return messages;
    }
}

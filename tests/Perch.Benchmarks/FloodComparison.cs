using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Benchmarks;

/// <summary>
/// The time that a TCP client waits for its echo, in quiet and while garbage comes in over UDP to the same process, in
/// interleaved rounds. Clients ask at a steady pace, so that one that waits long does not spare the others.
/// </summary>
internal sealed class FloodComparison(int rounds, TimeSpan duration)
{
    private const int Clients = 20;
    private const int FloodPerSecond = 100_000;
    private const int FloodBytes = 64;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(5);

    public async Task RunAsync()
    {
        using var server = await ServerProcess.StartAsync("perch-flood");
        var udp = await server.FindAsync("flooded");
        await MeasureAsync(server.EndPoint);
        var (quiet, flooded, rates) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            quiet.Add(await MeasureAsync(server.EndPoint));
            using var ending = new CancellationTokenSource();
            var flooding = Task.Factory.StartNew(() => Flood(udp, ending.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            flooded.Add(await MeasureAsync(server.EndPoint));
            await ending.CancelAsync();
            rates.Add(await flooding);
        }

        var ratios = flooded.Zip(quiet, (a, b) => a / b).ToList();
        Console.WriteLine($"TCP echo beside a UDP endpoint, {Clients} clients, {rounds} rounds of {duration.TotalSeconds:0} s, {Comparison.Median(rates):0} datagrams/s of garbage");
        Console.WriteLine("| quiet p99, ms | flooded p99, ms | ratio (least to most) |");
        Console.WriteLine("|---:|---:|---:|");
        Console.WriteLine($"| {Comparison.Median(quiet):0.00} | {Comparison.Median(flooded):0.00} | {Comparison.Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00}) |");
    }

    /// <returns>The 99th percentile, in milliseconds.</returns>
    private async Task<double> MeasureAsync(IPEndPoint server)
    {
        var times = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => AskAsync(server)));
        var sorted = times.SelectMany(time => time).Order().ToList();
        return sorted[sorted.Count * 99 / 100];
    }

    private async Task<List<double>> AskAsync(IPEndPoint server)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server);
        var (message, answer, times) = (new byte[64], new byte[64], new List<double>());
        using var pace = new PeriodicTimer(Pace);
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < duration && await pace.WaitForNextTickAsync();)
        {
            var sent = Stopwatch.GetTimestamp();
            await socket.SendAsync(message);
            for (var got = 0; got < message.Length;) got += await socket.ReceiveAsync(answer.AsMemory(got));
            times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
        }

        return times;
    }

    /// <returns>How many it sent a second.</returns>
    private static double Flood(IPEndPoint server, CancellationToken cancellationToken)
    {
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(server);
        var garbage = new byte[FloodBytes];
        new Random(1).NextBytes(garbage);
        var (started, sent) = (Stopwatch.GetTimestamp(), 0L);
        while (!cancellationToken.IsCancellationRequested)
        {
            // In bursts of a millisecond's worth, as a flood comes.
            var due = (long)(Stopwatch.GetElapsedTime(started).TotalSeconds * FloodPerSecond);
            if (sent >= due) Thread.Yield();
            for (; sent < due; sent++) socket.Send(garbage);
        }

        return sent / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}

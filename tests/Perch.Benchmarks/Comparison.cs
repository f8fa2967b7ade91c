using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>
/// Measures several servers in turn, round after round, so that a machine that others use disturbs all of them alike.
/// What counts is the processor time of the server per message, and its ratio within a round.
/// </summary>
internal sealed class Comparison(IReadOnlyList<string> names, BenchCase load, int rounds, TimeSpan duration)
{
    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(3);

    private sealed record Sample(double MicrosecondsPerMessage, double MessagesPerSecond);

    public async Task RunAsync()
    {
        var servers = new List<ServerProcess>();
        try
        {
            foreach (var name in names) servers.Add(await ServerProcess.StartAsync(name));
            foreach (var server in servers) await MeasureAsync(server, Warmup);
            var samples = servers.ToDictionary(s => s.Name, _ => new List<Sample>());
            for (var round = 0; round < rounds; round++)
            {
                foreach (var server in servers) samples[server.Name].Add(await MeasureAsync(server, duration));
            }

            Print(samples);
        }
        finally
        {
            servers.ForEach(server => server.Dispose());
        }
    }

    private async Task<Sample> MeasureAsync(ServerProcess server, TimeSpan span)
    {
        using ILoadGenerator generator = load.Udp ? new UdpLoadGenerator(server.EndPoint, load) : new LoadGenerator(server.EndPoint, load);
        await generator.StartAsync();
        await Task.Delay(TimeSpan.FromSeconds(0.5));
        var (messages, cpu, start) = (generator.Messages, server.CpuTime, Stopwatch.GetTimestamp());
        await Task.Delay(span);
        var (count, used, elapsed) = (generator.Messages - messages, server.CpuTime - cpu, Stopwatch.GetElapsedTime(start));
        await generator.StopAsync();
        return new(used.TotalMicroseconds / count, count / elapsed.TotalSeconds);
    }

    private void Print(Dictionary<string, List<Sample>> samples)
    {
        var first = samples[names[0]];
        Console.WriteLine($"{load.Connections} {(load.Udp ? "UDP sockets" : "connections")}, {load.Bytes} bytes, {load.Depth} deep, {(load.Echo ? "echo" : "receive")}; {rounds} rounds of {duration.TotalSeconds} s");
        Console.WriteLine($"| server | server CPU µs/message | ratio to {names[0]} (least to most) | messages/s | MB/s |");
        Console.WriteLine("|---|---:|---:|---:|---:|");
        foreach (var (name, taken) in samples)
        {
            var ratios = taken.Zip(first, (a, b) => a.MicrosecondsPerMessage / b.MicrosecondsPerMessage).Order().ToList();
            var rate = Median(taken.Select(s => s.MessagesPerSecond));
            Console.WriteLine($"| {name} | {Median(taken.Select(s => s.MicrosecondsPerMessage)):0.00} | {Median(ratios):0.00} ({ratios[0]:0.00} to {ratios[^1]:0.00}) | {rate:0} | {rate * load.Bytes / 1e6:0} |");
        }
    }

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}

using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>
/// What an idle connection takes of the server's memory: the slope of the process's share (PSS) over the number of connections.
/// Each server anew for connections that have never said a word, and for such that have exchanged one message.
/// </summary>
/// <param name="generator">The clients.</param>
/// <param name="to">The most connections; fewer where the machine's limits ask for it.</param>
/// <param name="settle">How long the server is left alone before its memory is read.</param>
internal sealed class IdleComparison(LoadGenerator generator, int to, TimeSpan settle)
{
    public static readonly string[] Servers = ["c", "go", "bare", "perch", "perch-direct"];

    private static readonly int[] Counts = [1000, 5000, 10_000, 15_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];

    /// <summary>Each of so few that the garbage they leave behind, which later connections can have, does not matter.</summary>
    private const int WarmUps = 12;
    private const int WarmUpConnections = 100;

    private static readonly BenchCase Load = new("idle", 1);

    private readonly List<int> _counts = [];

    public async Task RunAsync(IEnumerable<string> names)
    {
        foreach (var count in Counts.Where(count => count <= to))
        {
            var missing = IdleLimits.Missing(count).ToList();
            if (missing.Count == 0) _counts.Add(count);
            else Console.WriteLine($"{count:N0} connections are left out: {string.Join("; ", missing)}.\n");
        }

        if (_counts.Count < 2) throw new InvalidOperationException("A slope needs two counts of connections: allow at least 5,000.");
        Console.WriteLine($"{_counts[0]:N0} to {_counts[^1]:N0} idle connections\n");
        Console.WriteLine($"| server | bytes of memory a connection | after a message each | MiB in all with {_counts[^1]:N0}, after a message |");
        Console.WriteLine("|---|---:|---:|---:|");
        foreach (var name in names)
        {
            if (await ServerCommand.WhyNotAsync(name, Load) is { } reason)
            {
                Console.WriteLine($"| {name} | left out: {reason} | | |");
                continue;
            }

            var (silent, _) = await MeasureAsync(name, exchange: false);
            var (spoken, last) = await MeasureAsync(name, exchange: true);
            Console.WriteLine($"| {name} | {silent:N0} | {spoken:N0} | {last / (1024.0 * 1024):0.0} |");
        }
    }

    /// <summary>Holds the most connections; a tenth of them exchange a message each minute, and at the end the server is asked to stop.</summary>
    /// <exception cref="InvalidOperationException">A connection was closed, or the server was not ready.</exception>
    public async Task HoldAsync(string name, int minutes)
    {
        var count = Counts.Where(count => count <= to).Last(count => !IdleLimits.Missing(count).Any());
        using var server = await ServerProcess.StartAsync(name, patient: true);
        using var load = new IdleLoad(generator, server, IdleLimits.OfProcess);
        using var http = new HttpClient();
        await load.OpenAsync(count);
        await load.ExchangeAsync(count);
        Console.WriteLine($"{name}, {count:N0} connections, a tenth of which exchange a message each minute\n");
        Console.WriteLine("| minute | MiB | descriptors | threads | ready |");
        Console.WriteLine("|---:|---:|---:|---:|---|");
        for (var minute = 0; minute <= minutes; minute++)
        {
            if (minute > 0)
            {
                await Task.Delay(TimeSpan.FromMinutes(1));
                await load.ExchangeAsync(count / 10);
            }

            var ready = server.Admin is null ? "-" : (await http.GetAsync(new Uri(server.Admin, "/health/ready"))).StatusCode.ToString();
            Console.WriteLine($"| {minute} | {server.Memory / (1024.0 * 1024):0.0} | {server.Descriptors:N0} | {server.Threads} | {ready} |");
            if (ready is not ("-" or "OK")) throw new InvalidOperationException($"{name} is not ready.");
        }

        Console.WriteLine($"\nIt ended {(await server.StopAsync(TimeSpan.FromMinutes(2))).TotalSeconds:0.00} s after SIGTERM.");
    }

    /// <returns>Bytes a connection, and the memory with the most connections.</returns>
    private async Task<(double Slope, double Last)> MeasureAsync(string name, bool exchange)
    {
        using var server = await ServerProcess.StartAsync(name, patient: true);
        await WarmUpAsync(server);
        using var load = new IdleLoad(generator, server, IdleLimits.OfProcess);
        var memory = new List<double>();
        foreach (var count in _counts)
        {
            await load.OpenAsync(count);
            if (exchange) await load.ExchangeAsync(count);
            await WaitForAsync(server, count);
            memory.Add(server.Memory);
        }

        return (Slope(memory), memory[^1]);
    }

    /// <summary>
    /// Connections that come, exchange a message and go, until a runtime that compiles as it goes has compiled what serves them: that
    /// memory is no connection's.
    /// </summary>
    private async Task WarmUpAsync(ServerProcess server)
    {
        var before = server.Descriptors;
        for (var round = 0; round < WarmUps; round++)
        {
            using (var load = new IdleLoad(generator, server, IdleLimits.OfProcess))
            {
                await load.OpenAsync(WarmUpConnections);
                await load.ExchangeAsync(WarmUpConnections);
            }

            await WaitForAsync(server, () => server.Descriptors < before + WarmUpConnections, "let go of its connections");
            // The compiler comes behind.
            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }
    }

    /// <summary>The system takes connections before the server does.</summary>
    private async Task WaitForAsync(ServerProcess server, int count)
    {
        await WaitForAsync(server, () => server.Descriptors >= count, $"taken {count} connections");
        await Task.Delay(settle);
    }

    private static async Task WaitForAsync(ServerProcess server, Func<bool> condition, string what)
    {
        for (var started = Stopwatch.GetTimestamp(); !condition();)
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromMinutes(1)) throw new InvalidOperationException($"{server.Name} has {server.Descriptors} descriptors and has not {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }
    }

    /// <summary>Least squares.</summary>
    private double Slope(List<double> memory)
    {
        var (x, y) = (_counts.Average(), memory.Average());
        return _counts.Zip(memory, (count, bytes) => (count - x) * (bytes - y)).Sum() / _counts.Sum(count => (count - x) * (count - x));
    }
}

using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>Every case of the TCP servers and the memory of idle connections, as one page of Markdown on standard output.</summary>
internal sealed class TransportReport(IReadOnlyList<string> servers, IReadOnlyList<string> cases, int rounds, TimeSpan duration)
{
    public async Task RunAsync()
    {
        var started = Stopwatch.GetTimestamp();
        using var generator = await LoadGenerator.CompileAsync();
        Console.WriteLine($"# TCP servers compared\n\n{await MachineAsync()}");
        foreach (var name in cases)
        {
            Console.WriteLine($"\n## {name}");
            await new Comparison(servers, BenchCase.All[name], rounds, duration).RunAsync(generator);
        }

        Console.WriteLine("\n## idle\n");
        await new IdleComparison(generator, to: 15_000, settle: TimeSpan.FromSeconds(5)).RunAsync(servers.Intersect(IdleComparison.Servers));
        Console.WriteLine($"\nIt took {Stopwatch.GetElapsedTime(started).TotalMinutes:0} minutes; the load of the machine was {await LoadAsync()} at the end.");
    }

    /// <summary>What the figures are from, so that two pages can be told apart.</summary>
    private static async Task<string> MachineAsync()
    {
        var processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1];
        var kernel = (await File.ReadAllTextAsync("/proc/sys/kernel/osrelease")).Trim();
        return $"{processor ?? "Unknown processor"}, {Environment.ProcessorCount} of them to be used; Linux {kernel}; .NET {Environment.Version}; load of the machine {await LoadAsync()} at the start.";
    }

    private static async Task<string> LoadAsync() => (await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0];
}

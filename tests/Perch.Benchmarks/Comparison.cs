namespace Perch.Benchmarks;

/// <summary>
/// Measures several servers in turn, round after round, so that a machine that others use disturbs all of them alike.
/// What counts is the processor time of the server per message, and its ratio within a round.
/// </summary>
internal sealed class Comparison(IReadOnlyList<string> names, BenchCase load, int rounds, TimeSpan duration)
{
    /// <summary>.NET compiles a method for good when it was called often: what a connection does once, after several loads.</summary>
    private const int Warmups = 4;

    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(1.5);

    private readonly List<ServerProcess> _servers = [];
    private readonly Dictionary<string, List<LoadResult>> _samples = [];

    public async Task RunAsync(LoadGenerator generator)
    {
        Console.WriteLine();
        Console.WriteLine($"{load.Title}; {rounds} rounds of {duration.TotalSeconds} s");
        Console.WriteLine();
        try
        {
            foreach (var name in names)
            {
                if (await ServerCommand.WhyNotAsync(name, load) is { } reason) LeaveOut(name, reason);
                else _servers.Add(await ServerProcess.StartAsync(name, pinned: load.Pinned));
            }

            for (var i = 0; i < Warmups; i++) await MeasureAllAsync(generator, duration < Warmup ? duration : Warmup);
            _samples.Clear();
            for (var round = 0; round < rounds; round++) await MeasureAllAsync(generator, duration);
            ResultTable.Print(load, _samples);
        }
        finally
        {
            _servers.ForEach(server => server.Dispose());
        }
    }

    private async Task MeasureAllAsync(LoadGenerator generator, TimeSpan span)
    {
        foreach (var server in _servers.ToList())
        {
            try
            {
                if (load.Mode == "connect") await ConnectionTracking.WaitForRoomAsync(span);
                var before = server.Descriptors;
                var result = await generator.RunAsync(server, load, span);
                await server.WaitForDescriptorsAsync(before);
                if (!_samples.TryGetValue(server.Name, out var samples)) _samples.Add(server.Name, samples = []);
                samples.Add(result);
            }
            catch (InvalidOperationException failure)
            {
                LeaveOut(server.Name, failure.Message);
                _samples.Remove(server.Name);
                _servers.Remove(server);
                server.Dispose();
            }
        }
    }

    private static void LeaveOut(string name, string reason) => Console.WriteLine($"{name} is left out: {reason}.\n");

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}

namespace Perch.Benchmarks;

/// <summary>The samples of a case as a table in Markdown: medians, and ratios to the first server within each round.</summary>
internal static class ResultTable
{
    public static void Print(BenchCase load, Dictionary<string, List<LoadResult>> samples)
    {
        if (samples.Count == 0) return;
        var (first, reference) = samples.First();
        // Where firehoses run, the server's time is theirs: what counts is the wait beside them.
        var side = load.Firehoses > 0;
        var timed = reference[0].P99 > 0;
        var head = side ? "firehoses, MB/s" : $"server CPU µs/message | ratio to {first} (least to most)";
        head += " | messages/s";
        if (timed) head += $" | p99, ms | ratio to {first} (least to most)";
        if (load.Mode == "send") head += " | MB/s";
        Console.WriteLine($"| server | {head} |");
        Console.WriteLine($"|---|{string.Concat(Enumerable.Repeat("---:|", head.Split('|').Length))}");
        foreach (var (name, taken) in samples)
        {
            var rate = Median(taken, one => one.MessagesPerSecond);
            var row = side
                ? $"{Median(taken, one => one.SideBytes / one.Seconds / 1e6):N0}"
                : $"{Median(taken, one => one.CpuPerMessage):0.00} | {Ratio(taken, reference, one => one.CpuPerMessage)}";
            row += $" | {rate:N0}";
            if (timed) row += $" | {Median(taken, one => one.P99 / 1e3):0.00} | {Ratio(taken, reference, one => one.P99)}";
            if (load.Mode == "send") row += $" | {rate * load.Bytes / 1e6:N0}";
            Console.WriteLine($"| {name} | {row} |");
        }
    }

    private static double Median(List<LoadResult> taken, Func<LoadResult, double> value) => Comparison.Median(taken.Select(value));

    private static string Ratio(List<LoadResult> taken, List<LoadResult> reference, Func<LoadResult, double> value)
    {
        if (ReferenceEquals(taken, reference)) return "1.00";
        var ratios = taken.Zip(reference, (a, b) => value(a) / value(b)).Order().ToList();
        return $"{Comparison.Median(ratios):0.00} ({ratios[0]:0.00} to {ratios[^1]:0.00})";
    }
}

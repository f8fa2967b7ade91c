namespace Perch.Benchmarks;

/// <summary>The record endpoint against bare loops over the same library, in interleaved rounds on the same disk.</summary>
internal sealed class RecordComparison(int rounds, TimeSpan duration)
{
    private static readonly (string Name, int Connections, int Depth)[] Loads = [("50 connections, 256 lines under way each", 50, 256), ("1 connection, a line at a time", 1, 1)];

    public async Task RunAsync()
    {
        using var server = await ServerProcess.StartAsync("perch-record");
        using var bare = new BareSqlite();
        bare.RowsPerSecond(TimeSpan.FromSeconds(1), 1000);
        PrintHead();
        foreach (var (name, connections, depth) in Loads)
        {
            var rowsOfTransaction = depth == 1 ? 1 : 1000;
            await new RecordLoad(server.EndPoint, connections, depth).RunAsync(TimeSpan.FromSeconds(2));
            var (ours, theirs, tutorial) = (new List<double>(), new List<double>(), new List<double>());
            for (var round = 0; round < rounds; round++)
            {
                ours.Add(await new RecordLoad(server.EndPoint, connections, depth).RunAsync(duration));
                theirs.Add(bare.RowsPerSecond(duration, rowsOfTransaction));
                if (depth > 1) tutorial.Add(bare.TutorialRowsPerSecond(duration));
            }

            Print($"{name}; bare: transactions of {rowsOfTransaction}", ours, theirs);
            if (depth > 1) Print($"{name}; bare: the tutorial's way", ours, tutorial);
        }
    }

    public static void PrintHead()
    {
        Console.WriteLine("| case | perch, acknowledged/s | bare, rows/s | ratio (least to most) |");
        Console.WriteLine("|---|---:|---:|---:|");
    }

    public static void Print(string name, List<double> ours, List<double> theirs)
    {
        var ratios = ours.Zip(theirs, (a, b) => a / b).ToList();
        Console.WriteLine($"| {name} | {Comparison.Median(ours):0} | {Comparison.Median(theirs):0} | {Comparison.Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00}) |");
    }
}

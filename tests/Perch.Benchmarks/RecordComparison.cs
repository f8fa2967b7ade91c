namespace Perch.Benchmarks;

/// <summary>The record endpoint against bare loops over the same library, in interleaved rounds on the same disk.</summary>
internal sealed class RecordComparison(int rounds, TimeSpan duration)
{
    /// <summary>As many as the server takes, against transactions of 1,000 and against the tutorial's way.</summary>
    public async Task RunPipelinedAsync()
    {
        const string Name = "50 connections, 256 lines under way each";
        var (ours, bare, tutorial) = await MeasureAsync(connections: 50, depth: 256, rowsOfTransaction: 1000);
        Print($"{Name}; bare: transactions of 1,000", ours, bare);
        Print($"{Name}; bare: the tutorial's way", ours, tutorial);
    }

    /// <summary>One line at a time, against a commit for each row.</summary>
    public async Task RunLoneAsync()
    {
        var (ours, bare, _) = await MeasureAsync(connections: 1, depth: 1, rowsOfTransaction: 1);
        Print("1 connection, a line at a time; bare: transactions of 1", ours, bare);
    }

    /// <summary>This build against an earlier one (<see cref="ServerCommand.BeforeVariable"/>), over the direct transport.</summary>
    public async Task RunBeforeAsync()
    {
        using var before = await ServerProcess.StartAsync(ServerCommand.BeforeRecord);
        using var server = await ServerProcess.StartAsync(ServerCommand.DirectRecord);
        foreach (var warm in (ServerProcess[])[before, server]) await LoadAsync(warm, TimeSpan.FromSeconds(2));
        var (ours, theirs) = (new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            theirs.Add(await LoadAsync(before, duration));
            ours.Add(await LoadAsync(server, duration));
        }

        Console.WriteLine("| case | this build, acknowledged/s | the earlier build | ratio (least to most) |");
        Console.WriteLine("|---|---:|---:|---:|");
        Print("50 connections, 256 lines under way each", ours, theirs);
    }

    private static Task<double> LoadAsync(ServerProcess server, TimeSpan span) => new RecordLoad(server.EndPoint, connections: 50, depth: 256).RunAsync(span);

    private async Task<(List<double> Ours, List<double> Bare, List<double> Tutorial)> MeasureAsync(int connections, int depth, int rowsOfTransaction)
    {
        using var server = await ServerProcess.StartAsync("perch-record");
        using var sqlite = new BareSqlite();
        sqlite.RowsPerSecond(TimeSpan.FromSeconds(1), rowsOfTransaction);
        await new RecordLoad(server.EndPoint, connections, depth).RunAsync(TimeSpan.FromSeconds(2));
        var (ours, bare, tutorial) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            ours.Add(await new RecordLoad(server.EndPoint, connections, depth).RunAsync(duration));
            bare.Add(sqlite.RowsPerSecond(duration, rowsOfTransaction));
            if (depth > 1) tutorial.Add(sqlite.TutorialRowsPerSecond(duration));
        }

        PrintHead();
        return (ours, bare, tutorial);
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

using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>Records in a database of many rows against one of <see cref="RecordFill.ChunkRows"/>, in interleaved rounds: pages, and ingest.</summary>
internal sealed class RowsComparison(int rows, int rounds, TimeSpan duration)
{
    private const int PageRows = 1000;
    private const int PagesOfARound = 40;

    /// <summary>Each looks at as many rows in the one as in the other. <c>after</c> is the id before the page.</summary>
    private static readonly (string Name, Func<int, int> After, string Query, int Limit)[] Pages =
    [
        ("first page of 1,000", _ => 0, "", PageRows),
        ("page of 1,000 in the middle", rows => rows / 2, "", PageRows),
        ("last page of 1,000", rows => rows - PageRows, "", PageRows),
        ("`endpoint=`, 10 in the last 10,000", rows => rows - RecordFill.ChunkRows, "&endpoint=other", RecordFill.Rare),
        ("`contains=`, 10 in the last 10,000", rows => rows - RecordFill.ChunkRows, $"&contains={RecordFill.Word}", RecordFill.Rare),
    ];

    public async Task RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("perch-bench-");
        try
        {
            await FillAsync(folder);
            Console.WriteLine($"| case | {RecordFill.ChunkRows} rows | {rows} rows | ratio (least to most) |");
            Console.WriteLine("|---|---:|---:|---:|");
            using (var small = await StartFilledAsync(null))
            {
                using var large = await ServerProcess.StartAsync("perch-record", folder);
                foreach (var (name, after, query, limit) in Pages) await ComparePagesAsync(small, large, name, after, $"{query}&limit={limit}", limit);
            }

            await CompareIngestAsync(folder);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task FillAsync(DirectoryInfo folder)
    {
        using var server = await ServerProcess.StartAsync("perch-record", folder);
        var started = Stopwatch.GetTimestamp();
        await new RecordFill().RunAsync(server, rows);
        Console.WriteLine($"{rows} rows through one connection in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s; {rounds} rounds");
    }

    /// <summary>A new process, and a chunk more in its database: the one with few rows has only that.</summary>
    private static async Task<ServerProcess> StartFilledAsync(DirectoryInfo? folder)
    {
        var server = await ServerProcess.StartAsync("perch-record", folder);
        await new RecordFill().RunAsync(server, RecordFill.ChunkRows);
        return server;
    }

    private async Task ComparePagesAsync(ServerProcess small, ServerProcess large, string name, Func<int, int> after, string query, int limit)
    {
        using var http = new HttpClient();
        var (few, many) = (new List<double>(), new List<double>());
        for (var round = -1; round < rounds; round++)
        {
            var (a, b) = (new List<double>(), new List<double>());
            for (var page = 0; page < PagesOfARound; page++)
            {
                a.Add(await ReadAsync(http, new(small.Admin!, $"/records?after={after(RecordFill.ChunkRows)}{query}"), limit));
                b.Add(await ReadAsync(http, new(large.Admin!, $"/records?after={after(rows)}{query}"), limit));
            }

            // The first warms up.
            if (round < 0) continue;
            few.Add(Comparison.Median(a));
            many.Add(Comparison.Median(b));
        }

        Print($"{name}, ms", few, many, "0.00");
    }

    /// <summary>What is ingested makes the small one grow, so each round has a new one; and a new process for either, that both are as warm.</summary>
    private async Task CompareIngestAsync(DirectoryInfo folder)
    {
        var (few, many) = (new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            using (var small = await StartFilledAsync(null)) few.Add(await IngestAsync(small));
            using (var large = await StartFilledAsync(folder)) many.Add(await IngestAsync(large));
        }

        Print("ingest, 50 connections, acknowledged/s", few, many, "0");
    }

    private async Task<double> IngestAsync(ServerProcess server)
    {
        await new RecordLoad(server.EndPoint, connections: 50, depth: 256).RunAsync(TimeSpan.FromSeconds(1));
        return await new RecordLoad(server.EndPoint, connections: 50, depth: 256).RunAsync(duration);
    }

    /// <returns>Milliseconds until the whole page was here.</returns>
    private static async Task<double> ReadAsync(HttpClient http, Uri page, int limit)
    {
        var started = Stopwatch.GetTimestamp();
        var body = await http.GetByteArrayAsync(page);
        var elapsed = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        var records = body.AsSpan().Count((byte)'\n');
        if (records != limit) throw new UnreachableException($"{page} has {records} records instead of {limit}.");
        return elapsed;
    }

    private static void Print(string name, List<double> few, List<double> many, string format)
    {
        var ratios = many.Zip(few, (a, b) => a / b).ToList();
        Console.WriteLine($"| {name} | {Comparison.Median(few).ToString(format)} | {Comparison.Median(many).ToString(format)} | {Comparison.Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00}) |");
    }
}

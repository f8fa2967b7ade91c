using System.Globalization;
using System.Text.Json.Nodes;
using Perch.Cli.Net;

namespace Perch.Cli.Bench;

/// <summary>
/// Two targets in rounds, which begin now with one and now with the other: what the machine does meanwhile hits both. The ratio is
/// taken in each round, and its median told.
/// </summary>
internal sealed class BenchComparison(CliConsole console, Target first, Target second, BenchOptions options, int rounds)
{
    private readonly List<(BenchResult First, BenchResult Second)> _results = [];

    public IEnumerable<BenchResult> Results => _results.SelectMany(round => (BenchResult[])[round.First, round.Second]);

    /// <summary>Of the first to the second: rates; for open loops the p99, where less is better.</summary>
    public IReadOnlyList<double> Ratios => [.. _results.Select(round => Value(round.First) / Math.Max(1e-9, Value(round.Second))).Order()];

    private bool IsOpenLoop => options.Rate > 0 || options.Mode == BenchMode.Hold;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        for (var round = 0; round < rounds; round++)
        {
            var isFirst = round % 2 == 0;
            var one = await BenchRun.RunAsync(console, isFirst ? first : second, options, $"round {round + 1} of {rounds}, {(isFirst ? first : second).Address}", cancellationToken);
            var two = await BenchRun.RunAsync(console, isFirst ? second : first, options, $"round {round + 1} of {rounds}, {(isFirst ? second : first).Address}", cancellationToken);
            _results.Add(isFirst ? (one, two) : (two, one));
        }
    }

    public string Text()
    {
        var what = IsOpenLoop ? "p99" : "rate";
        var lines = _results.Select((round, number) => $"  round {number + 1}  {Show(round.First),14}  {Show(round.Second),14}  {Number(Value(round.First) / Math.Max(1e-9, Value(round.Second)))}");
        var ratios = Ratios;
        return $"{what} of {first.Address} to that of {second.Address}\n{string.Join('\n', lines)}\n  ratio     median {Number(Median(ratios))}, {Number(ratios[0])} to {Number(ratios[^1])}\n";
    }

    public JsonObject ToJson() => new()
    {
        ["compared"] = IsOpenLoop ? "p99" : "rate",
        ["medianRatio"] = Math.Round(Median(Ratios), 4),
        ["ratios"] = new JsonArray([.. Ratios.Select(ratio => (JsonNode)Math.Round(ratio, 4))]),
        ["rounds"] = new JsonArray([.. _results.Select(round => new JsonArray(round.First.ToJson(), round.Second.ToJson()))]),
    };

    private static double Median(IReadOnlyList<double> sorted) =>
        sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;

    private static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    private double Value(BenchResult result) => IsOpenLoop ? result.Progress.Latency.Quantile(0.99) : result.Rate;

    private string Show(BenchResult result) => IsOpenLoop ? BenchResult.Time(Value(result)) : string.Create(CultureInfo.InvariantCulture, $"{Value(result):N0}/s");
}

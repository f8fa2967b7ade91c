using System.Text.RegularExpressions;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>A metric family of a scrape: its name, its type and the names of its labels.</summary>
internal sealed partial record MetricSeries(string Name, string Type, string Labels)
{
    /// <summary>Parses the Prometheus text format 0.0.4.</summary>
    public static List<MetricSeries> Parse(string text)
    {
        var types = TypeLine().Matches(text).ToDictionary(m => m.Groups["name"].Value, m => m.Groups["type"].Value);
        return [.. SampleLine().Matches(text)
            .GroupBy(m => Family(m.Groups["name"].Value, types), m => LabelName().Matches(m.Groups["labels"].Value).Select(l => l.Groups["name"].Value))
            .Select(family => new MetricSeries(family.Key, types[family.Key], string.Join(' ', family.SelectMany(l => l).Where(l => l != "le").Distinct().Order(StringComparer.Ordinal))))
            .OrderBy(series => series.Name, StringComparer.Ordinal)];
    }

    public override string ToString() => $"{Name} {Type} {Labels}".TrimEnd();

    private static string Family(string sample, Dictionary<string, string> types) =>
        types.ContainsKey(sample) ? sample : sample[..sample.LastIndexOf('_')];

    [GeneratedRegex(@"^# TYPE (?<name>\S+) (?<type>\S+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{.*\})? \S+", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SampleLine();

    [GeneratedRegex("(?<name>[a-zA-Z_][a-zA-Z0-9_]*)=\"(\\\\.|[^\"\\\\])*\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LabelName();
}

using System.Text.RegularExpressions;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>
/// The series of <c>/metrics</c> against those that the server had with its own exporter (series-before.txt), the alert rules, and the
/// documents.
/// </summary>
public sealed partial class SeriesTests
{
    /// <summary>Each renamed series is in CHANGELOG.md too.</summary>
    private static readonly Dictionary<string, string> Renamed = new(StringComparer.Ordinal)
    {
        ["perch_bytes_received_total"] = "perch_bytes_received_bytes_total",
        ["perch_bytes_sent_total"] = "perch_bytes_sent_bytes_total",
    };

    [Fact]
    public async Task Scrape_AgainstTheSeriesOfBefore_LacksNone()
    {
        var before = (await File.ReadAllLinesAsync(Repository.PathOf("tests/Perch.FunctionalTests/Telemetry/series-before.txt")))
            .Select(line => line.Split(' ') is [var name, .. var rest] ? string.Join(' ', [Renamed.GetValueOrDefault(name, name), .. rest]) : line);
        var now = await SeriesAsync();

        Assert.Empty(before.Except(now.Select(series => series.ToString())));
    }

    [Fact]
    public async Task AlertRulesAndDocuments_EachMetric_IsASeries()
    {
        var named = new[] { "deploy/prometheus/alerts.yml", "docs/operations.md", "README.md", "docs/protocols.md" }
            .SelectMany(file => MetricName().Matches(File.ReadAllText(Repository.PathOf(file))).Select(match => match.Value))
            .Distinct().ToList();
        var names = (await SeriesAsync()).SelectMany(series => series.Type == "histogram"
            ? (string[])[series.Name, series.Name + "_bucket", series.Name + "_sum", series.Name + "_count"]
            : [series.Name]).ToHashSet(StringComparer.Ordinal);

        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, names));
    }

    [Fact]
    public async Task Changelog_EachRenamedSeries_IsThere()
    {
        var changelog = await File.ReadAllTextAsync(Repository.PathOf("CHANGELOG.md"));

        Assert.All(Renamed, pair => Assert.Contains($"`{pair.Key}` is now `{pair.Value}`", changelog, StringComparison.Ordinal));
    }

    private static async Task<List<MetricSeries>> SeriesAsync()
    {
        await using var host = await SeriesScene.StartAsync();
        return MetricSeries.Parse((await host.Admin.GetMetricsAsync()).Text);
    }

    [GeneratedRegex(@"\b(perch|process|dotnet)_[a-z_]+[a-z]\b(?!\*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MetricName();
}

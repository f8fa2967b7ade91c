using System.Text.RegularExpressions;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>The alert rules in deploy/prometheus, with Prometheus's own unit tests of rules.</summary>
public sealed partial class AlertTests
{
    [NeighbourFact("promtool")]
    public async Task Rules_TheirUnitTests_Pass()
    {
        var output = await Neighbour.RunAsync("promtool", ["test", "rules", Repository.PathOf("deploy/prometheus/alerts_test.yml")], "");

        Assert.Contains("SUCCESS", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Rules_EachOfThem_IsTestedSilentAndFiring()
    {
        var rules = AlertName().Matches(File.ReadAllText(Repository.PathOf("deploy/prometheus/alerts.yml"))).Select(match => match.Groups["name"].Value);
        var tested = TestedName().Matches(File.ReadAllText(Repository.PathOf("deploy/prometheus/alerts_test.yml")))
            .CountBy(match => match.Groups["name"].Value).ToDictionary(StringComparer.Ordinal);

        Assert.All(rules, rule => Assert.Equal(2, tested.GetValueOrDefault(rule)));
    }

    [GeneratedRegex(@"- alert: (?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AlertName();

    [GeneratedRegex(@"alertname: (?<name>\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TestedName();
}

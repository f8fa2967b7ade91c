using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Perch.Endpoints;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests;

/// <summary>The lists of docs/operations.md are those of the program.</summary>
public sealed partial class OperationsPageTests
{
    private static readonly string Page = File.ReadAllText(Repository.PathOf("docs/operations.md"));

    [Fact]
    public void Outcomes_OfTheTable_AreThoseThatTheSourceSets()
    {
        var set = Repository.Sources().SelectMany(file => Outcome().Matches(File.ReadAllText(file)))
            .Select(match => match.Groups["name"].Value).Distinct().Order(StringComparer.Ordinal);

        Assert.Equal(set, Names(Section("| outcome | level |")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Protocols_OfTheKey_AreThoseOfTheServer()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        var registry = host.Services.GetRequiredService<ProtocolRegistry>();
        var known = registry.NamesFor(EndpointTransport.Tcp).Union(registry.NamesFor(EndpointTransport.Udp)).Order(StringComparer.Ordinal);
        var row = Page.Split('\n').First(line => line.StartsWith("| `Protocol` | |", StringComparison.Ordinal));

        Assert.Equal(known, Code().Matches(row).Skip(1).Select(match => match.Groups["text"].Value));
    }

    [Fact]
    public async Task Arguments_OfTheTable_AreThoseOfTheHelp()
    {
        using var folder = new ServerFolder();
        var help = (await ServerProcess.RunAsync(folder, "--help")).Output;
        var known = Argument().Matches(help).Select(match => match.Value).Where(name => name != "--SECTION" && name != "--Perch").Distinct();
        var documented = Argument().Matches(Section("| command line | does |")).Select(match => match.Value).ToHashSet(StringComparer.Ordinal);

        Assert.All(known, name => Assert.Contains(name, documented));
    }

    /// <returns>The table that begins with this line.</returns>
    private static string Section(string begin)
    {
        var at = Page.IndexOf(begin, StringComparison.Ordinal);
        Assert.True(at >= 0, begin);
        return Page[at..Page.IndexOf("\n\n", at, StringComparison.Ordinal)];
    }

    private static IEnumerable<string> Names(string table) => FirstCell().Matches(table).Select(match => match.Groups["name"].Value);

    [GeneratedRegex(@"ConnectionOutcome\.(?<name>[A-Z]\w+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Outcome();

    [GeneratedRegex(@"^\| `(?<name>\w+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex FirstCell();

    [GeneratedRegex("`(?<text>[^`]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Code();

    [GeneratedRegex("--[a-zA-Z-]+", RegexOptions.None, 1000)]
    private static partial Regex Argument();
}

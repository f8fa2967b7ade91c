using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// Every command and program of the lessons and of the README runs as printed and prints what the page shows. The pages
/// in Japanese have the same commands and programs as those in English.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class LessonTests(Checkout checkout) : IClassFixture<Checkout>
{
    /// <summary>Blocks of the README that are not run, by the beginning of their code, and the reason.</summary>
    private static readonly Dictionary<string, string> Excluded = new()
    {
        ["dotnet test"] = "the gate runs it",
        ["docker "] = "it needs a Docker daemon and a registry",
    };

    public static TheoryData<string> LessonNames => [.. Pages.Lessons];

    [LessonTheory]
    [MemberData(nameof(LessonNames))]
    public async Task Lesson_CommandsAndPrograms_PrintWhatThePageShows(string name)
    {
        checkout.RemoveData();
        AssertNone(await PageRun.RunAsync(Pages.Lesson("en", name), checkout.Root));
    }

    [LessonFact]
    public async Task Readme_CommandsAndPrograms_PrintWhatThePageShows()
    {
        checkout.RemoveData();
        AssertNone(await PageRun.RunAsync(Pages.Page("README.md").Without(Excluded.Keys), checkout.Root));
    }

    [Fact]
    public void Readme_ExcludedBlocks_AreThere() =>
        Assert.All(Excluded.Keys, begin =>
            Assert.Contains(Pages.Page("README.md").Blocks, block => block.Code.StartsWith(begin, StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(LessonNames))]
    public void Lesson_InJapanese_HasTheSameHeadingsAndBlocks(string name)
    {
        var (english, japanese) = (Pages.Lesson("en", name), Pages.Lesson("ja", name));
        Assert.Equal(english.Headings, japanese.Headings);
        Assert.Equal(english.Blocks, japanese.Blocks);
    }

    [Theory]
    [MemberData(nameof(LessonNames))]
    public void Lesson_Excerpts_AreInTheSource(string name) =>
        Assert.All(
            Pages.Lesson("en", name).Files.Where(file => Pages.IsExcerpt(file.Path)),
            file => Assert.Contains(file.Code, File.ReadAllText(Repository.PathOf(file.Path)), StringComparison.Ordinal));

    [Fact]
    public void Readme_InJapanese_HasTheSameHeadingsBlocksAndPorts()
    {
        var (english, japanese) = (Pages.Page("README.md"), Pages.Page("README.ja.md"));
        Assert.Equal(english.Headings, japanese.Headings);
        Assert.Equal(english.Blocks, japanese.Blocks);
        Assert.Equal(english.Ports, japanese.Ports);
        Assert.NotEmpty(english.Ports);
    }

    [Fact]
    public void Readme_Ports_AreThoseOfTheShippedEndpoints() =>
        Assert.Equal(ShippedServer.EnabledPorts().Append(8080).Order(), Pages.Page("README.md").Ports.Order());

    private static void AssertNone(List<string> faults) => Assert.True(faults.Count == 0, string.Join("\n\n", faults));
}

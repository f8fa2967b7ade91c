using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>The pages whose commands are run, by the name of their file.</summary>
internal static class Pages
{
    public static string[] Lessons { get; } =
    [
        .. Directory.EnumerateFiles(Repository.PathOf("docs/tutorials/en"), "*.md")
            .Select(path => Path.GetFileName(path))
            .Order(StringComparer.Ordinal),
    ];

    public static IEnumerable<MarkdownPage> English => Lessons.Select(name => Lesson("en", name)).Append(Page("README.md"));

    public static MarkdownPage Lesson(string language, string name) => Page($"docs/tutorials/{language}/{name}");

    public static MarkdownPage Page(string path) => new(File.ReadAllText(Repository.PathOf(path)));

    public static bool IsExcerpt(string path) => path.StartsWith("src/", StringComparison.Ordinal);
}

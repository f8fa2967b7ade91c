namespace Perch.Tests.Architecture;

/// <summary>The files of the repository that these tests run in.</summary>
internal static class Repository
{
    private static readonly string Root = Find();

    public static string PathOf(string path) => Path.Combine(Root, path);

    public static IEnumerable<string> Sources() => Directory.EnumerateFiles(PathOf("src"), "*.cs", SearchOption.AllDirectories)
        .Where(f => !Path.GetRelativePath(Root, f).Split(Path.DirectorySeparatorChar).Intersect(["bin", "obj"]).Any());

    /// <summary>The Markdown pages.</summary>
    public static IEnumerable<string> Pages() => Directory.EnumerateFiles(Root, "*.md", SearchOption.AllDirectories)
        .Where(f => !Path.GetRelativePath(Root, f).Split(Path.DirectorySeparatorChar).Intersect(["bin", "obj", "node_modules"]).Any());

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Server.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests do not run in the repository.");
    }
}

using System.Diagnostics;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>A copy of the repository as a reader clones it, with the programs of all pages in it, and one build of them.</summary>
public sealed class Checkout : IAsyncLifetime
{
    private static readonly string[] Folders = ["src", "docs"];
    private static readonly string[] Built = ["src/Perch.Server", "src/Perch.Cli", "docs/tutorials/exercises"];

    public string Root { get; } = Directory.CreateTempSubdirectory("perch-checkout-").FullName;

    public async Task InitializeAsync()
    {
        if (!LessonFactAttribute.CanRun)
            return;
        foreach (var file in Directory.EnumerateFiles(Repository.PathOf("."))) Copy(file);
        foreach (var folder in Folders)
        {
            foreach (var file in Directory.EnumerateFiles(Repository.PathOf(folder), "*", SearchOption.AllDirectories)) Copy(file);
        }

        foreach (var (path, code) in Pages.English.SelectMany(page => page.Files).Where(file => !Pages.IsExcerpt(file.Path)))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Root, path))!);
            await File.WriteAllTextAsync(Path.Combine(Root, path), code);
        }

        foreach (var project in Built) await BuildAsync(project);
    }

    /// <summary>Removes the records and files of the page before.</summary>
    public void RemoveData()
    {
        if (Directory.Exists(Path.Combine(Root, "data")))
            Directory.Delete(Path.Combine(Root, "data"), recursive: true);
    }

    public Task DisposeAsync()
    {
        Directory.Delete(Root, recursive: true);
        return Task.CompletedTask;
    }

    /// <summary>No compiler or build process outlives a command, and the build looks for nothing that only warns.</summary>
    internal static void SetBuildEnvironment(ProcessStartInfo start)
    {
        foreach (var setting in (string[])["UseSharedCompilation", "RunAnalyzers", "NuGetAudit"]) start.Environment[setting] = "false";
        foreach (var setting in (string[])["MSBUILDDISABLENODEREUSE", "DOTNET_NOLOGO"]) start.Environment[setting] = "1";
    }

    private async Task BuildAsync(string project)
    {
        var start = new ProcessStartInfo("dotnet", ["build", "-c", "Release", "-v", "quiet", project])
        {
            WorkingDirectory = Root,
            UseShellExecute = false,
            RedirectStandardOutput = true,
        };
        SetBuildEnvironment(start);
        using var build = Process.Start(start)!;
        var output = await build.StandardOutput.ReadToEndAsync();
        await build.WaitForExitAsync();
        Assert.True(build.ExitCode == 0, output);
    }

    private void Copy(string file)
    {
        var path = Path.GetRelativePath(Repository.PathOf("."), file);
        if (path.Split('/').Any(segment => segment is "bin" or "obj"))
            return;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Root, path))!);
        File.Copy(file, Path.Combine(Root, path));
    }
}

namespace Perch.FunctionalTests;

/// <summary>
/// A test that needs a program of somebody else's. Without it the test is skipped by name on a developer's machine, and
/// runs (and so fails) where the environment variable CI is "true".
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeighbourFactAttribute : FactAttribute
{
    public NeighbourFactAttribute(string program)
    {
        Program = program;
        Skip = SkipReason(program);
    }

    public string Program { get; }

    internal static string? SkipReason(string program) =>
        Environment.GetEnvironmentVariable("CI") != "true" && !IsOnPath(program) ? $"{program} is not installed" : null;

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}

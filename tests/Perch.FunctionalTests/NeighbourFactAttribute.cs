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
        if (Environment.GetEnvironmentVariable("CI") != "true" && !IsOnPath(program))
            Skip = $"{program} is not installed";
    }

    public string Program { get; }

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}

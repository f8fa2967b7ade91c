namespace Perch.FunctionalTests;

/// <summary>
/// A test that needs a program of somebody else's, and perhaps what only root may do. Without it the test is skipped by
/// name on a developer's machine, and runs (and so fails) where the environment variable CI is "true".
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeighbourFactAttribute : FactAttribute
{
    /// <param name="program">Its name on the PATH.</param>
    /// <param name="capability">What the kernel must let it do.</param>
    public NeighbourFactAttribute(string program, Capability capability = Capability.None)
    {
        (Program, Capability) = (program, capability);
        Skip = SkipReason(program, capability);
    }

    public string Program { get; }

    public Capability Capability { get; }

    internal static string? SkipReason(string program, Capability capability) => Environment.GetEnvironmentVariable("CI") == "true" ? null
        : !IsOnPath(program) ? $"{program} is not installed"
        : !capability.IsHeld() ? $"{program} needs the capability {capability}; root has it"
        : null;

    private static bool IsOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}

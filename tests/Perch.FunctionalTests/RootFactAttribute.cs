namespace Perch.FunctionalTests;

/// <summary>
/// A test that does what only root may: forge a source, mount a file system. It is skipped by name for others on a
/// developer's machine, and runs (and so fails) where the environment variable CI is "true".
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Environment.GetEnvironmentVariable("CI") != "true" && !(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess) ? "only root may" : null;
}

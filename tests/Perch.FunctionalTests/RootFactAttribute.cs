namespace Perch.FunctionalTests;

/// <summary>
/// A test that forges what only root may: skipped by name for others on a developer's machine, and runs (and so fails)
/// where the environment variable CI is "true".
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("CI") != "true" && !Environment.IsPrivilegedProcess) Skip = "only root may forge a source";
    }
}

namespace Perch.FunctionalTests;

/// <summary>A test that mounts a file system. It is skipped by name for who may not, except where the environment variable CI is "true".</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Environment.GetEnvironmentVariable("CI") != "true" && !(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess) ? "only root can mount" : null;
}

using System.Diagnostics;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// A test that runs commands in network and process namespaces. It is skipped by name on a developer's machine without
/// the right to create them, and runs (and fails) if the environment variable CI is "true".
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LessonFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> Reason = new(FindReason);

    public LessonFactAttribute() => Skip = Reason.Value;

    internal static bool CanRun => Reason.Value is null;

    internal static string? SkipReason => Reason.Value;

    private static string? FindReason()
    {
        string[] programs = ["unshare", "ip", "python3", "nc", "telnet", "sqlite3", "xxd", "curl", "dotnet"];
        foreach (var program in programs)
        {
            if (NeighbourFactAttribute.SkipReason(program, Capability.None) is { } reason)
                return reason;
        }

        if (Environment.GetEnvironmentVariable("CI") == "true")
            return null;
        string[] arguments = ["--net", "--pid", "--fork", "--mount-proc", "ip", "link", "set", "lo", "up"];
        var start = new ProcessStartInfo("unshare", arguments) { UseShellExecute = false, RedirectStandardError = true };
        using var probe = Process.Start(start)!;
        probe.WaitForExit();
        return probe.ExitCode == 0 ? null : "unshare needs the right to create network and process namespaces";
    }
}

/// <inheritdoc cref="LessonFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LessonTheoryAttribute : TheoryAttribute
{
    public LessonTheoryAttribute() => Skip = LessonFactAttribute.SkipReason;
}

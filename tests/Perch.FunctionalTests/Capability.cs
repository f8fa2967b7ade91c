using System.Globalization;

namespace Perch.FunctionalTests;

/// <summary>What Linux lets a process do beyond its own affairs, by the kernel's numbers (capabilities(7)).</summary>
public enum Capability
{
    None = -1,

    /// <summary>To change the root folder.</summary>
    SysChroot = 18,

    /// <summary>To trace the processes of others.</summary>
    SysPtrace = 19,

    /// <summary>To mount.</summary>
    SysAdmin = 21,
}

internal static class CapabilityExtensions
{
    private const string Label = "CapEff:";

    /// <summary>Whether this process, and so what it starts, has it.</summary>
    public static bool IsHeld(this Capability capability)
    {
        if (capability == Capability.None) return true;
        if (!OperatingSystem.IsLinux()) return false;
        var effective = File.ReadLines("/proc/self/status").Single(line => line.StartsWith(Label, StringComparison.Ordinal))[Label.Length..];
        return (ulong.Parse(effective, NumberStyles.HexNumber | NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture) >> (int)capability & 1) == 1;
    }
}

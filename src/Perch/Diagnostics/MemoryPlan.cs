namespace Perch.Diagnostics;

/// <summary>The marks of a memory budget. All numbers are bytes.</summary>
/// <param name="Budget">The budget: above it reads pause and accepting stops.</param>
internal readonly record struct MemoryPlan(long Budget)
{
    /// <summary>The smallest budget that makes sense.</summary>
    public const long Least = 16 * 1024 * 1024;

    /// <summary>The largest budget that can be written.</summary>
    public const long Largest = 100_000_000_000_000;

    /// <summary>The budget without <c>Perch:MemoryBudget</c>: half of the limit of the container, or of the machine.</summary>
    public static long Default { get; } = Math.Max(Least, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);

    /// <summary>Below this, connections are accepted again while the largest ones are still paused: those do not grow.</summary>
    public long Accept => Budget / 100 * 95;

    /// <summary>Below this, reads go on.</summary>
    public long Resume => Budget / 10 * 9;

    /// <summary>Free blocks and garbage that may stay beside what peers occupy.</summary>
    public long Slack => Math.Max(Least, Budget / 8);

    /// <summary>At this, connections receive nothing that needs memory. Between two looks of the budget nothing else bounds them.</summary>
    public long Most => Budget + Slack;

    /// <summary>Above this, the largest connections are ended at once.</summary>
    public long End => Budget / 10 * 11;
}

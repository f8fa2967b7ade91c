namespace Perch.Tests.Fakes;

/// <summary>No test waits for ever: what should happen has this long to happen, and most of it takes microseconds.</summary>
internal static class Bounded
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    public static Task Soon(this Task task) => task.WaitAsync(Limit);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(Limit);
}

using System.Diagnostics;

namespace Perch.FunctionalTests.Hosting;

/// <summary>The one way these tests wait for something that sends no event: look again until a deadline.</summary>
internal static class Poll
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <returns>How long it took.</returns>
    public static Task<TimeSpan> UntilAsync(Func<bool> condition, Func<string> failure, TimeSpan? deadline = null) =>
        UntilAsync(() => Task.FromResult(condition()), failure, deadline);

    /// <inheritdoc cref="UntilAsync(Func{bool}, Func{string}, TimeSpan?)"/>
    public static async Task<TimeSpan> UntilAsync(Func<Task<bool>> condition, Func<string> failure, TimeSpan? deadline = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > (deadline ?? Deadline)) Assert.Fail($"Not within {deadline ?? Deadline}: {failure()}");
            await Task.Delay(Interval);
        }

        return watch.Elapsed;
    }
}

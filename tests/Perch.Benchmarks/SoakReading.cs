namespace Perch.Benchmarks;

/// <summary>What the server holds in a pause of the load.</summary>
/// <param name="Memory">RSS in bytes.</param>
/// <param name="Descriptors">Open ones.</param>
/// <param name="Threads">Of the process.</param>
internal sealed record SoakReading(long Memory, int Descriptors, int Threads)
{
    /// <summary>The pool of threads breathes.</summary>
    private const int MoreThreads = 8;

    private const int MoreDescriptors = 4;

    private const double MoreMemory = 1.15;

    /// <summary>The garbage collector's.</summary>
    private const int MemorySlack = 8 * 1024 * 1024;

    /// <summary>What has grown from the first third of the readings to the last, by their medians.</summary>
    public static IEnumerable<string> Growth(IReadOnlyList<SoakReading> readings)
    {
        var third = Math.Max(1, readings.Count / 3);
        var (first, last) = (readings.Take(third).ToList(), readings.TakeLast(third).ToList());
        double Of(List<SoakReading> some, Func<SoakReading, double> value) => Comparison.Median(some.Select(value));

        var (memory, grown) = (Of(first, one => one.Memory), Of(last, one => one.Memory));
        if (grown > (memory * MoreMemory) + MemorySlack) yield return $"Memory grew from {memory / 1e6:0} to {grown / 1e6:0} MB.";
        var (descriptors, more) = (Of(first, one => one.Descriptors), Of(last, one => one.Descriptors));
        if (more > descriptors + MoreDescriptors) yield return $"Descriptors grew from {descriptors} to {more}.";
        var (threads, later) = (Of(first, one => one.Threads), Of(last, one => one.Threads));
        if (later > threads + MoreThreads) yield return $"Threads grew from {threads} to {later}.";
    }
}

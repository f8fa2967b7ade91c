namespace Perch.Benchmarks;

/// <summary>What the load generator prints. Times of messages are in microseconds; 0 where the mode has none.</summary>
/// <param name="Messages">Messages that came back whole and right within the measurement.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Cpu">User and system time of the server meanwhile, in seconds.</param>
/// <param name="P50">The median time of a message.</param>
/// <param name="P99">The 99th percentile of it.</param>
/// <param name="SideBytes">What the firehoses got back.</param>
internal sealed record LoadResult(long Messages, double Seconds, double Cpu, double P50, double P99, long SideBytes)
{
    public double CpuPerMessage => Cpu * 1e6 / Messages;

    public double MessagesPerSecond => Messages / Seconds;

    /// <summary>Of several generators at once: each saw all of the server's time.</summary>
    public static LoadResult Combine(IReadOnlyList<LoadResult> results) => new(
        results.Sum(one => one.Messages),
        results.Average(one => one.Seconds),
        results.Average(one => one.Cpu),
        results.Max(one => one.P50),
        results.Max(one => one.P99),
        results.Sum(one => one.SideBytes));
}

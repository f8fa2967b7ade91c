using Perch.Cli.Bench;

namespace Perch.Cli.Tests.Bench;

public sealed class LatencyHistogramTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(1_000)]
    [InlineData(123_456_789)]
    [InlineData(10_000_000_000)]
    [InlineData(long.MaxValue)]
    public void Quantile_OfOneValue_IsItWithinABucket(long value)
    {
        var histogram = new LatencyHistogram();
        histogram.Record(value);
        histogram.Record(long.MaxValue);
        Assert.InRange(histogram.Quantile(0.5), value, value + (value / 128.0));
        Assert.Equal(long.MaxValue, histogram.Max);
    }

    [Fact]
    public void Quantiles_OfRandomValues_AreThoseOfTheSortedList()
    {
        var random = new Random(1);
        var values = Enumerable.Range(0, 100_000).Select(_ => (long)Math.Exp(random.NextDouble() * 20)).ToList();
        var (histogram, half) = (new LatencyHistogram(), new LatencyHistogram());
        for (var i = 0; i < values.Count; i++) (i % 2 == 0 ? histogram : half).Record(values[i]);
        histogram.Add(half);
        values.Sort();
        foreach (var quantile in (double[])[0.01, 0.5, 0.9, 0.99, 0.999, 1])
        {
            var exact = values[(int)Math.Ceiling(quantile * values.Count) - 1];
            Assert.InRange(histogram.Quantile(quantile), exact, exact * (1 + (1 / 128.0)) + 1);
        }

        Assert.Equal(values.Average(), histogram.Mean, 3);
    }

    [Fact]
    public void Bars_OfValues_HaveEachOnce()
    {
        var histogram = new LatencyHistogram();
        for (var value = 500; value < 10_000_000; value *= 3) histogram.Record(value);
        Assert.Equal(histogram.Count, histogram.Bars(2).Sum(bar => bar.Count));
        histogram.Clear();
        Assert.Equal((0, 0), (histogram.Count, histogram.Quantile(0.99)));
        Assert.Empty(histogram.Bars(2));
    }

    [Fact]
    public void Record_OfANegativeTime_CountsAsNone()
    {
        var histogram = new LatencyHistogram();
        histogram.Record(-5);
        Assert.Equal((1, 0), (histogram.Count, histogram.Max));
    }
}

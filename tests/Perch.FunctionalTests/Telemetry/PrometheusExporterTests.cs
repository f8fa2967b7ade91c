using System.Diagnostics.Metrics;
using System.Globalization;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Perch.FunctionalTests.Telemetry;

public sealed class PrometheusExporterTests
{
    [Fact]
    public async Task Scrape_Counter_HasHelpTypeAndTotal()
    {
        using var scraper = new Scraper();
        var counter = scraper.Meter.CreateCounter<long>("perch.messages", "{message}", "Messages handled.");
        counter.Add(2, new("protocol", "echo"), new KeyValuePair<string, object?>("endpoint", "a"));
        counter.Add(3, new("protocol", "echo"), new KeyValuePair<string, object?>("endpoint", "b"));

        Assert.Equal("""
            # HELP perch_messages_total Messages handled.
            # TYPE perch_messages_total counter
            perch_messages_total{endpoint="a",protocol="echo"} 2
            perch_messages_total{endpoint="b",protocol="echo"} 3

            """, await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_Twice_IsCumulative()
    {
        using var scraper = new Scraper();
        var counter = scraper.Meter.CreateCounter<double>("time", "s", "Time.");
        counter.Add(1.5);
        await scraper.ScrapeAsync();
        counter.Add(0.25);

        Assert.EndsWith("\ntime_seconds_total 1.75\n", await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_UpDownCounterAndGauge_AreGauges()
    {
        using var scraper = new Scraper();
        var active = scraper.Meter.CreateUpDownCounter<long>("active", "{connection}", "Open now.");
        active.Add(5);
        active.Add(-7);
        scraper.Meter.CreateObservableGauge("load", () => 0.5, "1", "Load.");

        Assert.Equal("""
            # HELP active Open now.
            # TYPE active gauge
            active -2
            # HELP load_ratio Load.
            # TYPE load_ratio gauge
            load_ratio 0.5

            """, await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_Histogram_HasCumulativeBucketsSumAndCount()
    {
        using var scraper = new Scraper(builder =>
            builder.AddView("*", new ExplicitBucketHistogramConfiguration { Boundaries = [0.1, 1] }));
        var histogram = scraper.Meter.CreateHistogram<double>("took", "s", "Took.");
        foreach (var value in (double[])[0.05, 0.1, 0.5, 7])
            histogram.Record(value, new KeyValuePair<string, object?>("endpoint", "a"));

        Assert.Equal("""
            # HELP took_seconds Took.
            # TYPE took_seconds histogram
            took_seconds_bucket{endpoint="a",le="0.1"} 2
            took_seconds_bucket{endpoint="a",le="1"} 3
            took_seconds_bucket{endpoint="a",le="+Inf"} 4
            took_seconds_sum{endpoint="a"} 7.65
            took_seconds_count{endpoint="a"} 4

            """, await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_ExponentialHistogram_KeepsSumAndCount()
    {
        using var scraper = new Scraper(builder => builder.AddView("*", new Base2ExponentialBucketHistogramConfiguration()));
        scraper.Meter.CreateHistogram<double>("took", "s", "Took.").Record(3);

        Assert.Equal("""
            # HELP took_seconds Took.
            # TYPE took_seconds histogram
            took_seconds_bucket{le="+Inf"} 1
            took_seconds_sum 3
            took_seconds_count 1

            """, await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_ValuesAndHelpWithSpecialCharacters_AreEscaped()
    {
        using var scraper = new Scraper();
        var counter = scraper.Meter.CreateCounter<long>("n", "", "A \"quoted\" back\\slash,\nsecond line.");
        counter.Add(1, new("a.b", "\\ \" \n データ"), new("flag", true), new KeyValuePair<string, object?>("number", 1.5));

        Assert.Equal(
            "# HELP n_total A \"quoted\" back\\\\slash,\\nsecond line.\n" +
            "# TYPE n_total counter\n" +
            "n_total{a_b=\"\\\\ \\\" \\n データ\",flag=\"true\",number=\"1.5\"} 1\n",
            await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_KeysThatBecomeOneLabel_AreJoined()
    {
        using var scraper = new Scraper();
        scraper.Meter.CreateCounter<long>("n").Add(1, new("a_b", "2"), new("c", "3"), new KeyValuePair<string, object?>("a.b", "1"));

        Assert.Equal("# TYPE n_total counter\nn_total{a_b=\"1;2\",c=\"3\"} 1\n", await scraper.ScrapeAsync());
    }

    [Theory]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    [InlineData(1234.5, "1234.5")]
    [InlineData(1e21, "1E+21")]
    [InlineData(-0.000001, "-1E-06")]
    public async Task Scrape_Numbers_AreInvariant(double value, string expected)
    {
        using var scraper = new Scraper();
        scraper.Meter.CreateObservableGauge("g", () => value);
        var before = CultureInfo.CurrentCulture;
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        try
        {
            CultureInfo.CurrentCulture = comma;
            Assert.Equal($"# TYPE g gauge\ng {expected}\n", await scraper.ScrapeAsync());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public async Task Scrape_OneNameInTwoMeters_HasOneHeaderAndNoSeriesTwice()
    {
        using var scraper = new Scraper();
        var first = scraper.Meter.CreateCounter<long>("same.name", "", "First.");
        first.Add(1, new KeyValuePair<string, object?>("k", "a"));
        scraper.Meter.CreateCounter<long>("same.other", "", "Between.").Add(9);
        var second = scraper.OtherMeter.CreateCounter<long>("same_name", "", "Second.");
        second.Add(2, new KeyValuePair<string, object?>("k", "a"));
        second.Add(3, new KeyValuePair<string, object?>("k", "b"));

        Assert.Equal("""
            # HELP same_name_total First.
            # TYPE same_name_total counter
            same_name_total{k="a"} 1
            same_name_total{k="b"} 3
            # HELP same_other_total Between.
            # TYPE same_other_total counter
            same_other_total 9

            """, await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_OneNameWithTwoTypes_KeepsTheFirst()
    {
        using var scraper = new Scraper();
        scraper.Meter.CreateUpDownCounter<long>("size").Add(1);
        scraper.OtherMeter.CreateHistogram<long>("size").Record(2);

        Assert.Equal("# TYPE size gauge\nsize 1\n", await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_MetricWithoutPoints_IsNotShown()
    {
        using var scraper = new Scraper();
        scraper.Meter.CreateCounter<long>("never.used", "", "Nothing yet.");
        scraper.Meter.CreateObservableGauge("nothing.to.say", () => Array.Empty<Measurement<int>>());

        Assert.Equal("", await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_Resource_IsTargetInfo()
    {
        using var scraper = new Scraper(resource: ResourceBuilder.CreateEmpty()
            .AddService("perch", serviceVersion: "1.2.3", autoGenerateServiceInstanceId: false));

        Assert.Equal("""
            # HELP target_info Target metadata
            # TYPE target_info gauge
            target_info{service_name="perch",service_version="1.2.3"} 1

            """, await scraper.ScrapeAsync());
    }

    [Fact]
    public async Task Scrape_WhileAnotherIsRead_Waits()
    {
        using var scraper = new Scraper();
        var collections = 0;
        scraper.Meter.CreateObservableCounter("collections", () => ++collections);

        // Without the turn the second scrape would collect on this thread, into the buffer that is being read.
        Task<bool>? second = null;
        var during = 0;
        await scraper.Exporter.ScrapeAsync(
            _ =>
            {
                second = scraper.Exporter.ScrapeAsync(_ => { }, CancellationToken.None);
                during = collections;
            },
            CancellationToken.None);

        Assert.Equal(1, during);
        Assert.True(await second!);
        Assert.Equal(2, collections);
    }

    [Fact]
    public async Task Scrape_ManyInstruments_ReusesItsBuffer()
    {
        using var scraper = new Scraper();
        var counter = scraper.Meter.CreateCounter<long>("n");
        for (var i = 0; i < 1000; i++)
            counter.Add(1, new("endpoint", "endpoint-" + i), new KeyValuePair<string, object?>("network.transport", "tcp"));
        var length = (await scraper.ScrapeAsync()).Length;

        // Synchronous when nobody else scrapes, so the thread's own count is exact.
        var before = GC.GetAllocatedBytesForCurrentThread();
        var scrape = scraper.Exporter.ScrapeAsync(static _ => { }, CancellationToken.None);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(scrape.IsCompletedSuccessfully);
        Assert.True(length > 50_000);
        Assert.InRange(allocated, 0, 8_000);
    }
}

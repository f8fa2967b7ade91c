using System.Diagnostics;
using System.Globalization;
using System.Text;
using Perch.Cli.CommandLine;
using Perch.Cli.Terminal;

namespace Perch.Cli.Bench;

/// <summary>Throughput and latencies while they are measured, drawn anew in place on standard error; nothing where that is no terminal.</summary>
internal sealed class BenchView(CliConsole console, string label, BenchOptions options)
{
    private const int SparkWidth = 60;
    private const int BarWidth = 40;
    private const double BarFactor = 2;

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    private readonly List<double> _rates = [];
    private readonly Picture _picture = new(console.Error, console.Size);

    public async Task ShowAsync(BenchProgress progress, Task running)
    {
        if (!console.IsErrorTerminal || console.IsDumb)
        {
            await Task.WhenAny(running);
            return;
        }

        console.IsDrawn = true;
        long before = 0;
        var watch = Stopwatch.StartNew();
        while (await Task.WhenAny(running, Task.Delay(Period)) != running)
        {
            var count = options.Mode == BenchMode.Stream ? progress.Bytes : progress.Messages;
            if (count >= before) _rates.Add((count - before) / watch.Elapsed.TotalSeconds);
            watch.Restart();
            before = count;
            if (_rates.Count > SparkWidth) _rates.RemoveAt(0);
            await DrawAsync(Text(progress));
        }

        await DrawAsync("");
    }

    /// <summary>The distribution in bars, for the view and for the report.</summary>
    public static string Histogram(LatencyHistogram latency)
    {
        var text = new StringBuilder();
        var bars = latency.Bars(BarFactor);
        var most = Math.Max(1, bars.Count == 0 ? 1 : bars.Max(bar => bar.Count));
        foreach (var (upTo, count) in bars)
        {
            var cells = (double)count / most * BarWidth;
            var bar = new string('█', (int)cells) + (cells - (int)cells >= 0.5 ? "▌" : count > 0 && cells < 0.5 ? "▏" : "");
            text.Append(CultureInfo.InvariantCulture, $"  {"≤ " + BenchResult.Time(upTo),12} {bar,-BarWidth} {100.0 * count / Math.Max(1, latency.Count),6:0.00} %\n");
        }

        return text.ToString();
    }

    private string Text(BenchProgress progress)
    {
        var rate = _rates.Count == 0 ? 0 : _rates[^1];
        var top = Math.Max(1, _rates.Count == 0 ? 1 : _rates.Max());
        var spark = string.Concat(_rates.Select(value => "▁▂▃▄▅▆▇█"[(int)Math.Min(7, value / top * 8)]));
        var shown = options.Mode == BenchMode.Stream ? $"{ByteSize.Format(rate)}/s" : string.Create(CultureInfo.InvariantCulture, $"{rate:N0}/s");
        var latency = progress.Latency;
        return string.Create(CultureInfo.InvariantCulture,
            $"{label}{(progress.IsMeasuring ? "" : " (warming up)")}: {shown}, {progress.Up} up, {progress.Errors} errors\n  {spark}\n  p50 {BenchResult.Time(latency.Quantile(0.5))}  p99 {BenchResult.Time(latency.Quantile(0.99))}  p99.9 {BenchResult.Time(latency.Quantile(0.999))}  max {BenchResult.Time(latency.Max)}\n{Histogram(latency)}");
    }

    private Task DrawAsync(string text) =>
        _picture.DrawAsync(text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => new PictureLine(line)));
}

using System.Globalization;
using System.Security;
using System.Text;

namespace Perch.Cli.Bench;

/// <summary>
/// Two plots in one SVG 1.1 file: latency over quantiles (both logarithmic, so that the tail has room), and throughput over time. One
/// line for each measurement.
/// </summary>
internal static class SvgPlot
{
    private const int Width = 860;
    private const int Height = 320;
    private const int Margin = 70;
    private const double SampleSeconds = 0.1;

    private static readonly string[] Colors = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf"];
    private static readonly double[] Nines = [0.5, 0.9, 0.99, 0.999, 0.9999];

    public static string Draw(IReadOnlyList<BenchResult> results)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {(2 * Height) + 40}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        for (var i = 0; i < results.Count; i++) svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Margin + (i % 3 * 260)}\" y=\"{16 + (i / 3 * 14)}\" fill=\"{Color(i)}\">{SecurityElement.Escape($"{results[i].Options.Mode.ToString().ToLowerInvariant()} {results[i].Target}")}</text>\n");
        Latency(svg, results, top: 40);
        Throughput(svg, results, top: 40 + Height);
        return svg.Append("</svg>\n").ToString();
    }

    private static void Latency(StringBuilder svg, IReadOnlyList<BenchResult> results, int top)
    {
        var measured = results.Where(r => r.Progress.Latency.Count > 0).ToList();
        if (measured.Count == 0) return;
        var low = Math.Floor(Math.Log10(Math.Max(1, measured.Min(r => r.Progress.Latency.Quantile(0.01)))));
        var high = Math.Max(low + 1, Math.Ceiling(Math.Log10(Math.Max(10, measured.Max(r => r.Progress.Latency.Max)))));
        for (var decade = low; decade <= high; decade++) Grid(svg, top, Y((decade - low) / (high - low), top), BenchResult.Time(Math.Pow(10, decade)));
        foreach (var nine in Nines) Tick(svg, top, X(Tail(nine)), string.Create(CultureInfo.InvariantCulture, $"{nine * 100:0.##} %"));
        for (var i = 0; i < results.Count; i++)
        {
            var latency = results[i].Progress.Latency;
            if (latency.Count == 0) continue;
            var most = Math.Min(Tail(Nines[^1]), Math.Log10(latency.Count) / 4.3);
            Line(svg, Color(i), Enumerable.Range(0, 200).Select(step => step / 199.0 * most)
                .Select(x => (X(x), Y((Math.Log10(Math.Max(1, latency.Quantile(1 - Math.Pow(10, -4.3 * x)))) - low) / (high - low), top))));
        }
    }

    private static void Throughput(StringBuilder svg, IReadOnlyList<BenchResult> results, int top)
    {
        var most = results.Max(r => r.Series.Count == 0 ? 0 : r.Series.Max()) / SampleSeconds;
        if (most <= 0) return;
        for (var part = 0; part <= 4; part++) Grid(svg, top, Y(part / 4.0, top), string.Create(CultureInfo.InvariantCulture, $"{most * part / 4:N0}/s"));
        var seconds = Math.Max(SampleSeconds, results.Max(r => r.Series.Count) * SampleSeconds);
        for (var part = 0; part <= 5; part++) Tick(svg, top, X(part / 5.0), string.Create(CultureInfo.InvariantCulture, $"{seconds * part / 5:0.#} s"));
        for (var i = 0; i < results.Count; i++)
            Line(svg, Color(i), results[i].Series.Select((count, at) => (X((at + 1) * SampleSeconds / seconds), Y(count / SampleSeconds / most, top))));
    }

    /// <summary>0 for all, 1 a little behind 99.99 %: as many nines, so far to the right.</summary>
    private static double Tail(double quantile) => -Math.Log10(1 - quantile) / 4.3;

    private static string Color(int number) => Colors[number % Colors.Length];

    private static double X(double part) => Margin + (part * (Width - Margin - 20));

    private static double Y(double part, int top) => top + Height - 40 - (part * (Height - 70));

    private static void Grid(StringBuilder svg, int top, double y, string label) =>
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Margin}\" x2=\"{Width - 20}\" y1=\"{y:0.#}\" y2=\"{y:0.#}\" stroke=\"#ddd\"/><text x=\"{Margin - 6}\" y=\"{y + 4:0.#}\" text-anchor=\"end\">{label}</text>\n");

    private static void Tick(StringBuilder svg, int top, double x, string label) =>
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{x:0.#}\" x2=\"{x:0.#}\" y1=\"{top + 30}\" y2=\"{top + Height - 40}\" stroke=\"#eee\"/><text x=\"{x:0.#}\" y=\"{top + Height - 22}\" text-anchor=\"middle\">{label}</text>\n");

    private static void Line(StringBuilder svg, string color, IEnumerable<(double X, double Y)> points) =>
        svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" points=\"").AppendJoin(' ', points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.X:0.#},{p.Y:0.#}"))).Append("\"/>\n");
}

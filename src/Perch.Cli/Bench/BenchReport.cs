using System.Globalization;
using System.Text;
using Perch.Cli.CommandLine;

namespace Perch.Cli.Bench;

/// <summary>A measurement in words.</summary>
internal static class BenchReport
{
    public static string Text(BenchResult result)
    {
        var (options, progress) = (result.Options, result.Progress);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{options.Mode.ToString().ToLowerInvariant()} {result.Target}: {options.Connections} connections, {options.Size} bytes");
        if (options.Mode is BenchMode.Echo or BenchMode.Line or BenchMode.Udp) text.Append(options.Rate > 0 ? string.Create(CultureInfo.InvariantCulture, $", {options.Rate:N0}/s open loop") : $", depth {options.Depth}");
        text.Append(CultureInfo.InvariantCulture, $", {result.Seconds:0.0} s\n");
        if (options.Mode != BenchMode.Stream) text.Append(CultureInfo.InvariantCulture, $"  rate        {progress.Messages / result.Seconds:N0} {Unit(options)}s/s\n");
        text.Append(CultureInfo.InvariantCulture, $"  bytes       {ByteSize.Format(progress.Bytes / result.Seconds)}/s {(options.Mode == BenchMode.Stream && !options.IsBothWays ? "sent" : "received")}\n");
        if (options.Mode == BenchMode.Hold) text.Append(CultureInfo.InvariantCulture, $"  held        {progress.Up} connections, opened in {result.ConnectSeconds:0.00} s\n");
        if (progress.Latency.Count > 0)
        {
            text.Append("  latency     ").AppendJoin("  ", BenchResult.Quantiles.Select(q => $"{q.Name} {BenchResult.Time(progress.Latency.Quantile(q.Quantile))}"))
                .Append(CultureInfo.InvariantCulture, $"  max {BenchResult.Time(progress.Latency.Max)}  mean {BenchResult.Time(progress.Latency.Mean)}\n");
            text.Append(BenchView.Histogram(progress.Latency));
        }

        text.Append(CultureInfo.InvariantCulture, $"  client      {Cpu(result.ClientCpu, result)}\n");
        if (result.ServerCpu is { } server) text.Append(CultureInfo.InvariantCulture, $"  server      {Cpu(server, result)}\n");
        if (progress.Lost > 0) text.Append(CultureInfo.InvariantCulture, $"  lost        {progress.Lost} datagrams\n");
        if (progress.Unsent > 0) text.Append(CultureInfo.InvariantCulture, $"  unsent      {progress.Unsent} messages: too many waited for answers; the server cannot keep up with --rate\n");
        text.Append(progress.Errors == 0 ? "  errors      0, all content as it should be\n" : string.Create(CultureInfo.InvariantCulture, $"  errors      {progress.Errors}, {progress.Wrong} with wrong content; the first: {progress.FirstError}\n"));
        return text.ToString();
    }

    private static string Cpu(double seconds, BenchResult result) => string.Create(CultureInfo.InvariantCulture, $"{seconds / result.Seconds:0.00} processors")
        + (result.Progress.Messages > 0 ? string.Create(CultureInfo.InvariantCulture, $", {seconds * 1e6 / result.Progress.Messages:0.00} µs a {Unit(result.Options)}") : "");

    private static string Unit(BenchOptions options) => options.Mode == BenchMode.Connect ? "connection" : "message";
}

using System.Globalization;
using System.Text.Json.Nodes;

namespace Perch.Cli.Bench;

/// <summary>One measurement.</summary>
/// <param name="Target">Where to.</param>
/// <param name="Options">What was done.</param>
/// <param name="Progress">What came of it.</param>
/// <param name="Seconds">How long was measured.</param>
/// <param name="ConnectSeconds">How long the connections took.</param>
/// <param name="ClientCpu">Processor seconds of this process.</param>
/// <param name="ServerCpu">Processor seconds of the server; null where it was not named.</param>
/// <param name="Series">Messages (for streams bytes) in each tenth of a second.</param>
internal sealed record BenchResult(
    string Target, BenchOptions Options, BenchProgress Progress, double Seconds, double ConnectSeconds, double ClientCpu, double? ServerCpu, IReadOnlyList<long> Series)
{
    public static readonly (string Name, double Quantile)[] Quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

    /// <summary>Messages a second; for streams bytes a second.</summary>
    public double Rate => (Options.Mode == BenchMode.Stream ? Progress.Bytes : Progress.Messages) / Seconds;

    public JsonObject ToJson()
    {
        var latency = new JsonObject();
        foreach (var (name, quantile) in Quantiles) latency[name] = Microseconds(Progress.Latency.Quantile(quantile));
        latency["max"] = Microseconds(Progress.Latency.Max);
        latency["mean"] = Microseconds(Progress.Latency.Mean);
        return new()
        {
            ["target"] = Target,
            ["mode"] = Options.Mode.ToString().ToLowerInvariant(),
            ["connections"] = Options.Connections,
            ["size"] = Options.Size,
            ["depth"] = Options.Depth,
            ["rate"] = Options.Rate,
            ["seconds"] = Math.Round(Seconds, 3),
            ["connectSeconds"] = Math.Round(ConnectSeconds, 4),
            ["messages"] = Progress.Messages,
            ["messagesPerSecond"] = Math.Round(Progress.Messages / Seconds, 1),
            ["bytes"] = Progress.Bytes,
            ["bytesPerSecond"] = Math.Round(Progress.Bytes / Seconds, 1),
            ["latencyMicroseconds"] = latency,
            ["errors"] = Progress.Errors,
            ["wrong"] = Progress.Wrong,
            ["lost"] = Progress.Lost,
            ["unsent"] = Progress.Unsent,
            ["up"] = Progress.Up,
            ["clientCpu"] = Math.Round(ClientCpu / Seconds, 4),
            ["serverCpu"] = ServerCpu is { } cpu ? Math.Round(cpu / Seconds, 4) : null,
            ["firstError"] = Progress.FirstError,
        };
    }

    /// <summary>A time for people: three digits and a unit.</summary>
    public static string Time(double nanoseconds) => nanoseconds switch
    {
        < 1e6 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:0.#} µs"),
        < 1e9 => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:0.##} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e9:0.##} s"),
    };

    private static double Microseconds(double nanoseconds) => Math.Round(nanoseconds / 1e3, 1);
}

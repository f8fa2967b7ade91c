using System.Collections.Frozen;
using System.Text;
using OpenTelemetry.Metrics;

namespace Perch.Server.Telemetry;

/// <summary>
/// What an instrument and its tags are called in Prometheus: the OpenTelemetry specification's "Prometheus and OpenMetrics
/// Compatibility", metric names and labels.
/// </summary>
internal static class PrometheusNames
{
    // A gauge that ends in _count fails `promtool check metrics`. The names are changed here and not with a view, so that
    // what is pushed over OTLP keeps the names of the .NET runtime's documentation.
    private static readonly FrozenDictionary<string, string> Renamed = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["dotnet.assembly.count"] = "dotnet.assemblies",
        ["dotnet.process.cpu.count"] = "dotnet.process.cpus",
        ["dotnet.thread_pool.thread.count"] = "dotnet.thread_pool.threads",
        ["dotnet.timer.count"] = "dotnet.timers",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    // The runtime registers these two as monotonic, although they go down (dotnet/runtime#126167): taken at its word,
    // Prometheus would see a reset each time.
    private static readonly FrozenSet<string> NotCounters =
        FrozenSet.Create(StringComparer.Ordinal, "dotnet.thread_pool.thread.count", "dotnet.thread_pool.queue.length");

    private static readonly FrozenDictionary<string, string> Units = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["d"] = "days",
        ["h"] = "hours",
        ["min"] = "minutes",
        ["s"] = "seconds",
        ["ms"] = "milliseconds",
        ["us"] = "microseconds",
        ["ns"] = "nanoseconds",
        ["By"] = "bytes",
        ["KiBy"] = "kibibytes",
        ["MiBy"] = "mebibytes",
        ["GiBy"] = "gibibytes",
        ["TiBy"] = "tebibytes",
        ["KBy"] = "kilobytes",
        ["kBy"] = "kilobytes",
        ["MBy"] = "megabytes",
        ["GBy"] = "gigabytes",
        ["TBy"] = "terabytes",
        ["m"] = "meters",
        ["V"] = "volts",
        ["A"] = "amperes",
        ["J"] = "joules",
        ["W"] = "watts",
        ["g"] = "grams",
        ["Cel"] = "celsius",
        ["Hz"] = "hertz",
        ["%"] = "percent",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> PerUnits = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["s"] = "second",
        ["m"] = "minute",
        ["min"] = "minute",
        ["h"] = "hour",
        ["d"] = "day",
        ["w"] = "week",
        ["mo"] = "month",
        ["y"] = "year",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static string Metric(string name, string unit, MetricType type)
    {
        const string total = "_total";
        var counter = TypeOf(name, type) == "counter";
        var result = Sanitise(Renamed.GetValueOrDefault(name, name), allowColon: true);
        if (counter && result.EndsWith(total, StringComparison.Ordinal))
            result = result[..^total.Length];

        var word = UnitWord(unit, gauge: type is MetricType.LongGauge or MetricType.DoubleGauge);
        if (word.Length > 0 && !$"_{result}_".Contains($"_{word}_", StringComparison.Ordinal))
            result = $"{result}_{word}";
        return counter ? result + total : result;
    }

    public static string TypeOf(string name, MetricType type) => type switch
    {
        MetricType.LongSum or MetricType.DoubleSum => NotCounters.Contains(name) ? "gauge" : "counter",
        MetricType.Histogram or MetricType.ExponentialHistogram => "histogram",
        _ => "gauge",
    };

    public static string Label(string key) => Sanitise(key, allowColon: false);

    private static string UnitWord(string unit, bool gauge)
    {
        unit = WithoutAnnotations(unit);
        if (unit == "1")
            return gauge ? "ratio" : "";

        var slash = unit.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
            return Word(Units, unit);

        var per = "per_" + Word(PerUnits, unit[(slash + 1)..]);
        var over = Word(Units, unit[..slash]);
        return per == "per_" ? over : over.Length == 0 ? per : $"{over}_{per}";
    }

    private static string Word(FrozenDictionary<string, string> words, string unit) =>
        unit.Length == 0 ? "" : words.GetValueOrDefault(unit) ?? Sanitise(unit, allowColon: false).Trim('_');

    private static string WithoutAnnotations(string unit)
    {
        int open;
        while ((open = unit.IndexOf('{', StringComparison.Ordinal)) >= 0)
        {
            var close = unit.IndexOf('}', open);
            unit = close < 0 ? unit[..open] : unit.Remove(open, close - open + 1);
        }
        return unit;
    }

    private static string Sanitise(string name, bool allowColon)
    {
        var result = new StringBuilder(name.Length + 1);
        if (name.Length == 0 || char.IsAsciiDigit(name[0]))
            result.Append('_');
        foreach (var c in name)
        {
            if (char.IsAsciiLetterOrDigit(c) || (allowColon && c == ':'))
                result.Append(c);
            else if (result.Length == 0 || result[^1] != '_')
                result.Append('_');
        }
        return result.ToString();
    }
}

using System.CommandLine.Parsing;
using System.Globalization;

namespace Perch.Cli.CommandLine;

/// <summary>A length of time on the command line: <c>10</c> and <c>10s</c>, <c>500ms</c>, <c>2m</c>, <c>1h</c>, <c>1d</c>.</summary>
internal static class Duration
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    private static readonly (string Suffix, double Seconds)[] Units =
        [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("", 1)];

    public static bool TryParse(string text, out TimeSpan duration) => TryParse(text, Longest, out duration);

    public static bool TryParse(string text, TimeSpan longest, out TimeSpan duration)
    {
        duration = default;
        var (suffix, factor) = Array.Find(Units, unit => text.EndsWith(unit.Suffix, StringComparison.Ordinal));
        if (!double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return false;
        var seconds = number * factor;
        if (!(seconds > 0) || seconds > longest.TotalSeconds) return false;
        duration = TimeSpan.FromSeconds(seconds);
        return true;
    }

    /// <summary>Parser of an option.</summary>
    public static TimeSpan? Parse(ArgumentResult result)
    {
        if (TryParse(result.Text(), out var duration))
            return duration;
        result.RefuseValue($"is not a time: write 500ms, 10s, 2m or 1h (at most {Longest.TotalHours} h).");
        return null;
    }
}

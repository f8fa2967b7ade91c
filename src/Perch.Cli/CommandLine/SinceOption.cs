using System.CommandLine;
using System.Globalization;

namespace Perch.Cli.CommandLine;

/// <summary>
/// An option that takes a point in time, or a time before now: <c>2026-11-20T00:00:00Z</c>, <c>2026-11-20</c>, <c>1h</c>, <c>7d</c>.
/// </summary>
internal static class SinceOption
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36500);

    public static Option<DateTimeOffset?> Create(string name, string description, TimeProvider time) => new(name)
    {
        Description = description,
        HelpName = "time",
        CustomParser = result =>
        {
            if (TryParse(result.Text(), time.GetUtcNow(), out var since))
                return since;
            result.RefuseValue("is not a time: write 2026-11-20T00:00:00Z, 2026-11-20, or 1h, 30m or 7d for a time before now.");
            return null;
        },
    };

    /// <summary>A time without an offset is UTC, as the output is.</summary>
    public static bool TryParse(string text, DateTimeOffset now, out DateTimeOffset since)
    {
        if (Duration.TryParse(text, Longest, out var span))
        {
            since = now - span;
            return true;
        }

        // A year at the beginning: other forms mean different days in different countries.
        since = default;
        return text.Length >= "2026-11-20".Length && text[4] == '-'
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out since);
    }
}

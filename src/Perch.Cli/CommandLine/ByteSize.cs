using System.CommandLine.Parsing;
using System.Globalization;

namespace Perch.Cli.CommandLine;

/// <summary>A number of bytes: on the command line <c>1000</c>, <c>64k</c>, <c>1.5M</c>, <c>2G</c> (steps of 1,024), and in text for people.</summary>
internal static class ByteSize
{
    private const double Step = 1024;

    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        var factor = (text.Length == 0 ? ' ' : char.ToUpperInvariant(text[^1])) switch { 'K' => Step, 'M' => Step * Step, 'G' => Step * Step * Step, _ => 1 };
        var digits = factor > 1 ? text.AsSpan(0, text.Length - 1) : text;
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) || number * factor > long.MaxValue / 2) return false;
        bytes = (long)(number * factor);
        return bytes > 0;
    }

    /// <summary>Parser of an option.</summary>
    public static long? Parse(ArgumentResult result)
    {
        if (TryParse(result.Text(), out var bytes))
            return bytes;
        result.RefuseValue("is not a number of bytes: write 1000, 64k, 1.5M or 2G.");
        return null;
    }

    public static string Format(double bytes)
    {
        var unit = UnitOf(bytes);
        return $"{Number(bytes, unit)} {Units[unit]}";
    }

    /// <summary>A part of a whole in the unit of the whole: <c>20.0/28.6 MiB</c>.</summary>
    public static string Format(double part, double whole)
    {
        var unit = UnitOf(whole);
        return $"{Number(part, unit)}/{Number(whole, unit)} {Units[unit]}";
    }

    private static int UnitOf(double bytes)
    {
        var unit = 0;
        for (; bytes >= 1000 && unit < Units.Length - 1; unit++)
            bytes /= Step;
        return unit;
    }

    private static string Number(double bytes, int unit)
    {
        var number = bytes / Math.Pow(Step, unit);
        return number.ToString(unit == 0 || number >= 100 ? "0" : "0.0", CultureInfo.InvariantCulture);
    }
}

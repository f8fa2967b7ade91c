using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace Perch.Cli.CommandLine;

/// <summary>Options that take a number between two bounds.</summary>
internal static class NumberOption
{
    /// <summary>Gives an option a short name as well.</summary>
    public static Option<T> WithAlias<T>(this Option<T> option, string alias)
    {
        option.Aliases.Add(alias);
        return option;
    }

    /// <param name="name">With its dashes.</param>
    /// <param name="description">Its description in the help.</param>
    /// <param name="min">Smallest value.</param>
    /// <param name="max">Largest value.</param>
    /// <param name="noun">Name of the value in the help.</param>
    public static Option<T?> Create<T>(string name, string description, T min, T max, string noun = "number")
        where T : struct, INumber<T>
    {
        var style = typeof(T) == typeof(double) ? NumberStyles.AllowDecimalPoint : NumberStyles.None;
        var kind = style == NumberStyles.None ? "whole number" : "number";
        return new(name)
        {
            Description = description,
            HelpName = noun,
            CustomParser = result =>
            {
                if (T.TryParse(result.Text(), style, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
                    return value;
                result.RefuseValue(string.Create(CultureInfo.InvariantCulture, $"is not a {kind} from {min} to {max}."));
                return null;
            },
        };
    }
}

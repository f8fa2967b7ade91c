using System.CommandLine;
using System.Globalization;
using System.Numerics;

namespace Perch.Cli.CommandLine;

/// <summary>Options that take a number between two bounds.</summary>
internal static class NumberOption
{
    /// <param name="name">With its dashes.</param>
    /// <param name="description">Its description in the help.</param>
    /// <param name="min">Smallest value.</param>
    /// <param name="max">Largest value.</param>
    /// <param name="noun">Name of the value in the help.</param>
    public static Option<T?> Create<T>(string name, string description, T min, T max, string noun = "number")
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            HelpName = noun,
            CustomParser = result =>
            {
                var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (T.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max)
                    return value;
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} is {Range(min, max)}: '{text}' is not"));
                return null;
            },
        };

    private static string Range<T>(T min, T max)
        where T : INumber<T>
    {
        var kind = T.IsInteger(min + (T.One / (T.One + T.One))) ? "a whole number" : "a number";
        return string.Create(CultureInfo.InvariantCulture, $"{kind} from {min} to {max}");
    }
}

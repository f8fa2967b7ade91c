using System.CommandLine;

namespace Perch.Cli.CommandLine;

/// <summary>Options that take one of a few words: the names of an enumeration in lower case.</summary>
internal static class WordOption
{
    /// <param name="name">With its dashes.</param>
    /// <param name="description">What it is about; the words follow.</param>
    /// <param name="noun">What a word is, for help and errors.</param>
    public static Option<T?> Create<T>(string name, string description, string noun)
        where T : struct, Enum
    {
        var words = Enum.GetNames<T>().Select(word => word.ToLowerInvariant()).ToArray();
        var option = new Option<T?>(name)
        {
            Description = $"{description} One of {string.Join(", ", words)}.",
            HelpName = noun,
            CustomParser = result =>
            {
                if (words.Contains(result.Text(), StringComparer.OrdinalIgnoreCase))
                    return Enum.Parse<T>(result.Text(), ignoreCase: true);
                result.RefuseValue($"is not a {noun}: write {string.Join(", ", words)}.");
                return null;
            },
        };
        // The names as the enumeration spells them are there already.
        option.CompletionSources.Clear();
        option.CompletionSources.Add(words);
        return option;
    }
}

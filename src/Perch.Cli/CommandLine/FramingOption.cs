using System.CommandLine;
using Perch.Wire.Framings;

namespace Perch.Cli.CommandLine;

/// <summary><c>--framing</c>, by the names that the server's configuration has.</summary>
internal static class FramingOption
{
    public static Option<Framing?> Create(string description)
    {
        var names = Enum.GetNames<Framing>().Select(name => name.ToLowerInvariant()).ToArray();
        var option = new Option<Framing?>("--framing")
        {
            Description = $"{description} One of {string.Join(", ", names)}.",
            HelpName = "framing",
            CustomParser = result =>
            {
                var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (names.Contains(text, StringComparer.OrdinalIgnoreCase)) return Enum.Parse<Framing>(text, ignoreCase: true);
                result.AddError($"'{text}' is not a framing: write {string.Join(", ", names)}.");
                return null;
            },
        };
        option.CompletionSources.Add(names);
        return option;
    }
}

using System.CommandLine.Parsing;
using Perch.Wire;

namespace Perch.Cli.CommandLine;

/// <summary>Reads the value of an option or argument, and reports an invalid one under its name.</summary>
internal static class ArgumentErrors
{
    /// <returns>The value as it was written; empty if none was.</returns>
    public static string Text(this ArgumentResult result) => result.Tokens.Count == 1 ? result.Tokens[0].Value : "";

    /// <summary>Adds the error <c>--name: 'value' problem</c>.</summary>
    public static void RefuseValue(this ArgumentResult result, string problem) =>
        result.Refuse($"'{PeerText.Escape(result.Text())}' {problem}");

    /// <summary>Adds the error <c>--name: problem</c>.</summary>
    public static void Refuse(this ArgumentResult result, string problem) =>
        result.AddError($"{(result.Parent is OptionResult option ? option.Option.Name : result.Argument.Name)}: {problem}");
}

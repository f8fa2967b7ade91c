using System.CommandLine;
using System.CommandLine.Parsing;
using Perch.Cli.Net;

namespace Perch.Cli.CommandLine;

/// <summary>The argument that says where to: see <see cref="Target"/>.</summary>
internal static class TargetArgument
{
    public static Argument<Target> Create(string description) => new("URL") { Description = description, CustomParser = Parse };

    public static Argument<Target> ForFiles(string description) => new("URL") { Description = description, CustomParser = ParseForFiles };

    /// <summary>The parser of an option; what is no target becomes its error.</summary>
    public static Target? Parse(ArgumentResult result)
    {
        var target = ParseForFiles(result);
        if (target?.Protocol != Target.Tftp) return target;
        result.AddError("tftp:// is for files: the verbs get, put and stat.");
        return null;
    }

    private static Target? ParseForFiles(ArgumentResult result)
    {
        var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (Target.TryParse(text, out var target, out var fault)) return target;
        result.AddError(fault);
        return null;
    }
}

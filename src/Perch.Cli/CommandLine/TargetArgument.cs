using System.CommandLine;
using System.CommandLine.Parsing;
using Perch.Cli.Net;

namespace Perch.Cli.CommandLine;

/// <summary>The argument that says where to: see <see cref="Target"/>.</summary>
internal static class TargetArgument
{
    public static Argument<Target> Create(string description) => new("URL") { Description = description, CustomParser = Parse };

    public static Argument<Target> ForFiles(string description) => new("URL") { Description = description, CustomParser = ParseForFiles };

    /// <summary>Parser of an option or argument.</summary>
    public static Target? Parse(ArgumentResult result)
    {
        var target = ParseForFiles(result);
        if (target?.Protocol != Target.Tftp) return target;
        result.Refuse("tftp:// is for files: the commands get, put and stat.");
        return null;
    }

    private static Target? ParseForFiles(ArgumentResult result)
    {
        if (Target.TryParse(result.Text(), out var target, out var fault))
            return target;
        result.Refuse(fault);
        return null;
    }
}

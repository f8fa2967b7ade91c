using System.CommandLine;
using System.CommandLine.Parsing;

namespace Perch.Cli.CommandLine;

/// <summary>Options and arguments that take the path of a file of this machine.</summary>
internal static class FileOption
{
    public static Option<FileInfo?> Create(string name, string description) =>
        new(name) { Description = description, HelpName = "file", CustomParser = Parse };

    public static Argument<FileInfo?> Argument(string name, string description) =>
        new(name) { Description = description, CustomParser = Parse };

    private static FileInfo? Parse(ArgumentResult result)
    {
        if (result.Text().Length > 0)
            return new(result.Text());
        result.RefuseValue("is not the path of a file.");
        return null;
    }
}

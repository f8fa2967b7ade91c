using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>The server answered a command with <c>ERR</c>.</summary>
/// <param name="code">The error's code.</param>
/// <param name="text">Its text, not escaped yet.</param>
internal sealed class FileRefusal(string code, string text) : Exception(PeerText.Escape(text))
{
    public const string NotFound = "not-found";
    public const string Checksum = "checksum";
    public const string Offset = "offset";
    public const string Options = "options";

    public FileRefusal(FileAnswer answer)
        : this(answer.Code, answer.Text)
    {
    }

    public string Code { get; } = code;

    /// <summary>For a person, with the file's name.</summary>
    public CliException Of(FileName? name) => new(ExitCode.Refused, $"{(name is null ? "The server" : PeerText.Escape(name.Value))}: refused ({Code}): {Message}");
}

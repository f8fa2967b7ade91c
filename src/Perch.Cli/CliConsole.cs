using System.Text;

namespace Perch.Cli;

/// <summary>The three standard streams, and what is known about where they lead; tests have their own.</summary>
/// <param name="Input">Standard input, bytes as they come.</param>
/// <param name="Output">Standard output: data and nothing else, so that a pipe can use it.</param>
/// <param name="Error">Standard error: what is said about the work.</param>
internal sealed record CliConsole(Stream Input, Stream Output, TextWriter Error)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private TextWriter? _out;

    public bool IsInputTerminal { get; init; }

    public bool IsOutputTerminal { get; init; }

    public bool IsErrorTerminal { get; init; }

    /// <summary>Whether the terminal takes escape sequences at all.</summary>
    public bool IsDumb { get; init; }

    /// <summary>Colours are wanted: not with NO_COLOR (no-color.org) or <c>--no-color</c>.</summary>
    public bool HasColor { get; init; }

    /// <summary>Text on <see cref="Output"/>, flushed at each write.</summary>
    public TextWriter Out => _out ??= new StreamWriter(Output, Utf8, leaveOpen: true) { AutoFlush = true, NewLine = "\n" };

    public static CliConsole OfProcess()
    {
        Console.OutputEncoding = Utf8;
        return new(Console.OpenStandardInput(), Console.OpenStandardOutput(), Console.Error)
        {
            IsInputTerminal = !Console.IsInputRedirected,
            IsOutputTerminal = !Console.IsOutputRedirected,
            IsErrorTerminal = !Console.IsErrorRedirected,
            IsDumb = Environment.GetEnvironmentVariable("TERM") is "dumb",
            HasColor = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
        };
    }

    /// <summary>Says one line about the work, beside the data.</summary>
    public Task SayAsync(string line) => Error.WriteLineAsync(line);
}

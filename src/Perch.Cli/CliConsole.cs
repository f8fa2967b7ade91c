using System.Text;

namespace Perch.Cli;

/// <summary>The three standard streams, and what is known about where they lead; tests have their own.</summary>
/// <param name="Input">Standard input, bytes as they come.</param>
/// <param name="Output">Standard output: data and nothing else, so that a pipe can use it.</param>
/// <param name="Error">Standard error: what is said about the work.</param>
internal sealed record CliConsole(Stream Input, Stream Output, TextWriter Error)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private const int DefaultColumns = 80;
    private const int DefaultRows = 24;

    private TextWriter? _out;

    public bool IsInputTerminal { get; init; }

    public bool IsOutputTerminal { get; init; }

    public bool IsErrorTerminal { get; init; }

    /// <summary>Whether the terminal takes escape sequences at all.</summary>
    public bool IsDumb { get; init; }

    /// <summary>Colours are wanted: not with NO_COLOR (no-color.org) or <c>--no-color</c>.</summary>
    public bool HasColor { get; init; }

    /// <summary>Columns and rows of the terminal, as they are now.</summary>
    public Func<(int Columns, int Rows)> Size { get; init; } = static () => (DefaultColumns, DefaultRows);

    /// <summary>What is on the terminal is drawn anew in place, or has a line end of its own: none is put behind Ctrl-C.</summary>
    public bool IsDrawn { get; set; }

    /// <summary>Text on <see cref="Output"/>, flushed at each write.</summary>
    public TextWriter Out => _out ??= new StreamWriter(Output, Utf8, leaveOpen: true) { AutoFlush = true, NewLine = "\n" };

    public static CliConsole OfProcess()
    {
        Console.OutputEncoding = Utf8;
        var output = Console.OpenStandardOutput();
        return new(Console.OpenStandardInput(), Console.IsOutputRedirected ? output : new LineEndStream(output), Console.Error)
        {
            IsInputTerminal = !Console.IsInputRedirected,
            IsOutputTerminal = !Console.IsOutputRedirected,
            IsErrorTerminal = !Console.IsErrorRedirected,
            IsDumb = Environment.GetEnvironmentVariable("TERM") is "dumb",
            HasColor = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
            Size = static () => (Console.WindowWidth is > 0 and var columns ? columns : DefaultColumns, Console.WindowHeight is > 0 and var rows ? rows : DefaultRows),
        };
    }

    /// <summary>Says one line about the work, beside the data.</summary>
    public async Task SayAsync(string line)
    {
        if (IsErrorTerminal) await EndLineAsync();
        await Error.WriteLineAsync(line);
    }

    /// <summary>Ends the line of a terminal that data has left open; bytes for a pipe stay as they are.</summary>
    public async Task EndLineAsync()
    {
        if (Output is LineEndStream { IsAtLineStart: false }) await Out.WriteAsync('\n');
    }

    /// <summary>The terminal has shown ^C: what follows begins on the next line.</summary>
    public void EndInterruptedLine()
    {
        if (IsErrorTerminal && !IsDrawn) Error.WriteLine();
    }
}

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Perch.Cli.CommandLine;

/// <summary>The output of <c>--help</c>: the library's part, and after it examples, notes and the exit codes.</summary>
/// <param name="help">The library's part.</param>
/// <param name="console">Has the width.</param>
internal sealed class HelpText(HelpAction help, CliConsole console) : SynchronousCommandLineAction
{
    private const int MinWidth = 40;
    private const int MaxWidth = 120;
    private const int PipeWidth = 80;

    private const string ExitCodes = """
        Exit codes:
          0 done                        5 no connection or no answer in time
          1 the peer refused            6 TLS failed
          2 the command line is wrong   7 the connection ended midway
          3 the host is not known       8 a file of this machine
          4 nothing listens there       130 Ctrl-C, 143 SIGTERM
        """;

    private static readonly Dictionary<Command, string> Sections = [];

    /// <summary>Gives a command its examples and notes.</summary>
    public static Command WithHelp(Command command, string sections)
    {
        Sections[command] = sections;
        return command;
    }

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var width = console.IsOutputTerminal ? Math.Clamp(console.Size().Columns - 1, MinWidth, MaxWidth) : PipeWidth;
        help.MaxWidth = width;
        var output = parseResult.InvocationConfiguration.Output;
        using var text = new StringWriter();
        parseResult.InvocationConfiguration.Output = text;
        var code = help.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output = output;
        // The library takes the name from the assembly.
        output.Write(text.ToString().Replace(RootCommand.ExecutableName, "perch", StringComparison.Ordinal));
        if (Sections.TryGetValue(parseResult.CommandResult.Command, out var sections))
            output.WriteLine(WordWrap.Text(sections, width) + "\n");
        output.WriteLine(ExitCodes);
        return code;
    }
}

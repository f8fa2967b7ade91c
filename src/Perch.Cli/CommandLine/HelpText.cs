using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Perch.Cli.CommandLine;

/// <summary>What <c>--help</c> says behind the options: examples, notes and the exit codes.</summary>
internal sealed class HelpText(HelpAction help) : SynchronousCommandLineAction
{
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
        var output = parseResult.InvocationConfiguration.Output;
        using var text = new StringWriter();
        parseResult.InvocationConfiguration.Output = text;
        var code = help.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output = output;
        // The library takes the name from the assembly.
        output.Write(text.ToString().Replace(RootCommand.ExecutableName, "perch", StringComparison.Ordinal));
        if (Sections.TryGetValue(parseResult.CommandResult.Command, out var sections)) output.WriteLine(sections + "\n");
        output.WriteLine(ExitCodes);
        return code;
    }
}

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Perch.Cli.CommandLine;
using Perch.Cli.Verbs;
using Perch.Wire;

namespace Perch.Cli;

/// <summary>The command line: which verbs there are, and the one boundary where failures become a line and an exit code.</summary>
internal static class PerchCli
{
    private static readonly Func<CliConsole, Command>[] Verbs =
    [
        ConnectVerb.Create, SendVerb.Create,
        PutVerb.Create, GetVerb.Create, LsVerb.Create, StatVerb.Create, RmVerb.Create,
        RecordVerb.Create, RecordsVerb.Create, StatusVerb.Create, CheckVerb.Create,
        BenchVerb.Create, CompletionVerb.Create,
    ];

    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, CliConsole console, Interruption interruption)
    {
        if (args.Contains(CommonOptions.NoColor.Name)) console = console with { HasColor = false };
        // @file is a message of send, and not more arguments.
        var result = Root(console).Parse(args, new() { ResponseFileTokenReplacer = null });
        if (result.Action is ParseErrorAction)
        {
            await console.SayAsync($"perch: {Fault(result)}. See '{CommandPath(result)} --help'.");
            return ExitCode.Usage;
        }

        interruption.Shown = console.EndInterruptedLine;
        try
        {
            return await result.InvokeAsync(
                new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = console.Out, Error = console.Error }, interruption.Token);
        }
        catch (OperationCanceledException) when (interruption.Signal != 0)
        {
            return ExitCode.Signal + interruption.Signal;
        }
        catch (Exception exception) when (Failure.Of(exception) is { } failure)
        {
            // What a signal cut short fails in its own way; the signal is the reason.
            if (interruption.Signal != 0) return ExitCode.Signal + interruption.Signal;
            await console.SayAsync($"perch: {failure.Text}");
            return failure.ExitCode;
        }
        finally
        {
            await console.EndLineAsync();
        }
    }

    private static RootCommand Root(CliConsole console)
    {
        var root = new RootCommand("Talks to Perch, and to anything else on TCP, TLS, UDP or a Unix socket.");
        foreach (var option in (Option[])[CommonOptions.Json, CommonOptions.Timeout, CommonOptions.NoColor]) root.Add(option);
        foreach (var create in Verbs) root.Add(create(console));
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new HelpText((HelpAction)help.Action!);
        return root;
    }

    private static string Fault(ParseResult result) => result switch
    {
        { CommandResult.Command: RootCommand, UnmatchedTokens: [var word, ..] } => $"'{PeerText.Escape(word)}' is no verb and no option",
        { CommandResult.Command: RootCommand } => "A verb is missing",
        _ => string.Join(' ', result.Errors[0].Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.'),
    };

    private static string CommandPath(ParseResult result) =>
        result.CommandResult.Command is RootCommand ? "perch" : $"perch {result.CommandResult.Command.Name}";
}

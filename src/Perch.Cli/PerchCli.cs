using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Perch.Cli.CommandLine;
using Perch.Cli.Verbs;
using Perch.Wire;

namespace Perch.Cli;

/// <summary>The command line: the commands, and the one boundary at which failures become a line and an exit code.</summary>
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
        var result = Root(console).Parse(args.Length == 0 ? ["--help"] : args, new() { ResponseFileTokenReplacer = null });
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

    /// <summary>All commands with their options.</summary>
    public static RootCommand Root(CliConsole console)
    {
        var root = new RootCommand("Talks to Perch, and to anything else on TCP, TLS, UDP or a Unix socket.");
        foreach (var option in (Option[])[CommonOptions.Json, CommonOptions.Timeout, CommonOptions.NoColor]) root.Add(option);
        foreach (var create in Verbs) root.Add(create(console));
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new HelpText((HelpAction)help.Action!, console);
        return root;
    }

    /// <returns>The first error, in the terms of the command line.</returns>
    private static string Fault(ParseResult result)
    {
        var unknown = result.UnmatchedTokens is [var first, ..] ? PeerText.Escape(first) : null;
        if (result.CommandResult.Command is RootCommand)
            return unknown is null ? "A command is missing" : $"Unknown command or option '{unknown}'";
        var error = result.Errors[0];
        var missing = result.CommandResult.Command.Arguments.FirstOrDefault(
            argument => argument.Arity.MinimumNumberOfValues > 0 && result.GetResult(argument) is null or { Tokens.Count: 0 });
        return error.SymbolResult switch
        {
            OptionResult { Tokens.Count: 0 } option => $"{option.Option.Name} needs a value: <{option.Option.HelpName}>",
            OptionResult { Tokens.Count: > 1, Option.Arity.MaximumNumberOfValues: 1 } option =>
                $"{option.Option.Name} is given {option.Tokens.Count} times: give it once",
            _ when missing is not null => $"The argument {missing.Name} is missing: {missing.Description?.TrimEnd('.')}",
            _ when unknown is not null => $"Unknown argument or option '{unknown}'",
            _ => OneLine(error.Message),
        };
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.');

    private static string CommandPath(ParseResult result) =>
        result.CommandResult.Command is RootCommand ? "perch" : $"perch {result.CommandResult.Command.Name}";
}

using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Completion;

namespace Perch.Cli.Verbs;

/// <summary><c>perch completion</c>: what a shell needs to complete verbs and options.</summary>
internal static class CompletionVerb
{
    private const string Notes = """
        Examples:
          perch completion bash > ~/.local/share/bash-completion/completions/perch
          perch completion zsh > "${fpath[1]}/_perch"
          perch completion fish > ~/.config/fish/completions/perch.fish
        """;

    public static Command Create(CliConsole console)
    {
        var shell = new Argument<string>("SHELL") { Description = $"One of {string.Join(", ", CompletionScript.Shells)}." };
        shell.AcceptOnlyFromAmong([.. CompletionScript.Shells]);
        var command = new Command("completion", "Prints the script that lets a shell complete perch's command line.") { shell };
        command.SetAction(async (result, _) =>
        {
            await console.Out.WriteAsync(CompletionScript.Of(result.GetRequiredValue(shell)));
            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }
}

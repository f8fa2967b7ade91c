using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Files;

namespace Perch.Cli.Verbs;

/// <summary><c>perch ls</c>: which files there are.</summary>
internal static class LsVerb
{
    private const string Notes = """
        One line a file, in the order of the names' bytes: length, time (UTC), the begin of the SHA-256, name. The URL's path is what the names
        begin with, whether it ends with a slash or not.

        Examples:
          perch ls files://localhost
          perch ls files://localhost/photos/ --json | jq -r .sha256
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.ForFiles("Where: files://host[:port]/[begin of the names].");
        var link = new LinkOptions();
        var command = new Command("ls", "Lists files.") { url };
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var report = new FileReport(console, result.GetValue(CommonOptions.Json));
            await using var remote = await RemoteFiles.OpenAsync(link.Dialer(result, target), new(), token);
            await foreach (var file in RemoteNames.ListAsync(remote, target.Path, token)) await report.TellAsync(file);
            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }
}

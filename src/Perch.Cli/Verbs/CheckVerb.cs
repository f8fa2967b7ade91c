using System.CommandLine;
using Perch.Cli.Admin;
using Perch.Cli.CommandLine;

namespace Perch.Cli.Verbs;

/// <summary><c>perch check</c>: the server's verdict on a configuration.</summary>
internal static class CheckVerb
{
    private const string Notes = """
        Runs 'perch-server --check' on the file, so the verdict is the server's own: exit code 0 valid, 2 faults. The server is the one in
        --server, in the environment variable PERCH_SERVER, beside perch, or on the PATH. Relative paths in the file are read from its folder.

        Examples:
          perch check appsettings.json
          perch check /etc/perch/appsettings.json --server /opt/perch/perch-server
        """;

    public static Command Create(CliConsole console)
    {
        var file = FileOption.Argument("FILE", "The appsettings.json.");
        var server = FileOption.Create("--server", "The server's executable.");
        var command = new Command("check", "Checks a configuration as the server would, and prints its plan.") { file, server };
        command.SetAction((result, token) => ServerCheck.RunAsync(
            console, result.GetRequiredValue(file)!, result.GetValue(server)?.FullName, result.GetValue(CommonOptions.Json), token));
        return HelpText.WithHelp(command, Notes);
    }
}

using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Files;
using Perch.Cli.Files.Tftp;

namespace Perch.Cli.Verbs;

/// <summary><c>perch stat</c>: what is known of one file.</summary>
internal static class StatVerb
{
    private const string Notes = """
        'partial' is how many bytes of an unfinished upload of this name are durable. Over tftp:// there is the length alone, where the
        server tells it (RFC 2349, tsize).

        Examples:
          perch stat files://localhost/photos/cat.jpg
          perch stat tftp://192.168.7.1/pxelinux.0
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.ForFiles("Which: files://host[:port]/name.");
        var link = new LinkOptions();
        var command = new Command("stat", "Shows length, hash and time of a file, and what there is of an unfinished upload.") { url };
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var name = RemoteNames.Parse(target);
            await using var remote = await RemoteFiles.OpenAsync(link.Dialer(result, target), TftpAsk.Waiting(result.GetValue(CommonOptions.Timeout)), token);
            try
            {
                var status = await remote.StatAsync(name, token);
                if (status == RemoteStatus.None) throw new FileRefusal(FileRefusal.NotFound, "there is no file of this name");
                await new FileReport(console, result.GetValue(CommonOptions.Json)).TellAsync(name, status);
            }
            catch (FileRefusal refusal)
            {
                throw refusal.Of(name);
            }

            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }
}

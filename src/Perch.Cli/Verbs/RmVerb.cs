using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Files;
using Perch.Wire.Files;

namespace Perch.Cli.Verbs;

/// <summary><c>perch rm</c>: deletes files at the server.</summary>
internal static class RmVerb
{
    private const string Notes = """
        Deletes one file, and an unfinished upload of its name. With --recursive the URL ends with a slash, and all files whose names begin so
        are deleted; '/' alone stands for all files. Nothing is asked, and nothing comes back.

        Examples:
          perch rm files://localhost/photos/cat.jpg
          perch rm --recursive files://localhost/photos/
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.ForFiles("Which: files://host[:port]/name.");
        var recursive = new Option<bool>("--recursive", "-r") { Description = "All files of a folder." };
        var link = new LinkOptions();
        var command = new Command("rm", "Deletes files at the server.") { url, recursive };
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var isFolder = target.Path.EndsWith('/') || target.Path.Length == 0;
            if (isFolder != result.GetValue(recursive)) throw new CliException(ExitCode.Usage, isFolder ? "A folder is deleted with --recursive." : "With --recursive the URL ends with a slash.");
            await using var remote = await RemoteFiles.OpenAsync(link.Dialer(result, target), new(), token);
            if (!isFolder) await DeleteAsync(remote, RemoteNames.Parse(target), token);
            // One connection has one answer on its way: the names are all read before the first is deleted.
            else foreach (var file in await RemoteNames.ListAsync(remote, target.Path, token).ToListAsync(token)) await DeleteAsync(remote, file.Name, token);
            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }

    private static async Task DeleteAsync(IRemoteFiles remote, FileName name, CancellationToken cancellationToken)
    {
        try
        {
            await remote.DeleteAsync(name, cancellationToken);
        }
        catch (FileRefusal refusal)
        {
            throw refusal.Of(name);
        }
    }
}

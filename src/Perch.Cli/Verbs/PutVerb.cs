using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Files;

namespace Perch.Cli.Verbs;

/// <summary><c>perch put</c>: files to the server.</summary>
internal static class PutVerb
{
    private const string Notes = """
        Names: a URL that ends with a slash (or has no path) is a folder, and each FILE keeps its name in it; else the URL is the name. A
        folder is sent with all in it, under its own name ('photos/.' without it). Names that the server does not take are told, the rest is sent.

        Each file is hashed before it is sent, and published by the server only when its SHA-256 agrees. What was cut off, by Ctrl-C, kill -9 or a
        crash of either side, goes on where it ended; a file that is there already is not sent again.

        tftp://host[:69]/ sends whole files in octet mode, with nothing to go on with; whether it takes them is the server's affair.

        Examples:
          perch put files://localhost photo.jpg
          perch put files://localhost/photos/cat.jpg photo.jpg
          perch put files://localhost/backup/ ~/documents --limit-rate 2M
          perch put tftp://192.168.7.1/ running.cfg --blksize 512 --windowsize 1
          perch put tls://files.example.org:9995/in/ *.csv --ca ca.pem --json
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.ForFiles("Where to: files:// or tftp://host[:port]/[folder/ or name].");
        var files = new Argument<string[]>("FILE") { Description = "Files and folders of this machine.", Arity = ArgumentArity.OneOrMore };
        var transfer = new TransferOptionSet();
        var link = new LinkOptions();
        var command = new Command("put", "Sends files: resumed, hashed, in parallel.") { url, files };
        transfer.AddTo(command);
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var paths = result.GetRequiredValue(files);
            var isWholeName = target.Path.Length > 0 && !target.Path.EndsWith('/');
            if (isWholeName && paths.Length > 1) throw new CliException(ExitCode.Usage, "Several files need a folder: end the URL with a slash.");
            var options = transfer.Read(result, target);
            var screen = new TransferScreen(console);
            var report = new FileReport(console, result.GetValue(CommonOptions.Json), screen);
            var walked = 0;
            using var run = new TransferRun(link.Dialer(result, target), options, screen, done => report.TellAsync(done), report.FailAsync);
            var code = await run.RunAsync(Jobs(), token);
            return code != 0 ? code : walked;

            async IAsyncEnumerable<TransferJob> Jobs()
            {
                foreach (var (file, fault) in paths.SelectMany(path => LocalTree.Walk(path, target.Path, isWholeName)))
                {
                    if (fault is not null)
                    {
                        await report.FailAsync(fault);
                        if (walked == 0) walked = fault.ExitCode;
                        continue;
                    }

                    yield return new(file!.Name.Value, file.Length, (remote, meter, cancel) => Uploader.RunAsync(remote, file, options.Resume, meter, cancel));
                }
            }
        });
        return HelpText.WithHelp(command, Notes);
    }
}

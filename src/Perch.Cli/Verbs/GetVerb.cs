using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Files;
using Perch.Cli.Net;
using Perch.Wire.Files;

namespace Perch.Cli.Verbs;

/// <summary><c>perch get</c>: files from the server.</summary>
internal static class GetVerb
{
    private const string Notes = """
        A URL that ends with a slash is all files whose names begin so, kept in their folders below LOCAL; else it is one file. LOCAL is the file to
        write, a folder that is there or ends with a slash, or '-' for standard output; without it the file keeps its name, here.

        The bytes gather in LOCAL.<begin of the hash>.part, which takes the name when all is there and its SHA-256 is right: nobody sees half a
        file. What was cut off goes on where it ended; a file that is here already is not fetched again; an older one is replaced.

        tftp://host[:69]/name fetches one file in octet mode. TFTP knows no hashes and no parts: the bytes gather in LOCAL.part, a transfer that is cut leaves
        nothing, and the SHA-256 that is told is that of what came. What is not answered is sent again after --timeout (1s), then after twice, four times
        and eight times that.

        Examples:
          perch get files://localhost/photos/cat.jpg
          perch get files://localhost/photos/ pictures/
          perch get files://localhost/notes.txt - | less
          perch get tftp://192.168.7.1/pxelinux.0
          perch get tftp://localhost:6969/boot/vmlinuz --blksize 8192 --windowsize 64
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.ForFiles("From where: files://host[:port]/name or folder/, or tftp://host/name.");
        var local = new Argument<string?>("LOCAL") { Description = "File or folder to write, or '-'.", Arity = ArgumentArity.ZeroOrOne };
        var transfer = new TransferOptionSet();
        var link = new LinkOptions();
        var command = new Command("get", "Fetches files: resumed, hashed, in parallel.") { url, local };
        transfer.AddTo(command);
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var to = result.GetValue(local);
            var options = transfer.Read(result, target);
            var dialer = link.Dialer(result, target);
            var screen = new TransferScreen(console);
            var report = new FileReport(console, result.GetValue(CommonOptions.Json), screen);
            using var run = new TransferRun(dialer, to == "-" ? options with { Retries = 0, Parallel = 1 } : options, screen, done => report.TellAsync(done, toError: to == "-"), report.FailAsync);
            if (to == "-") return await run.RunAsync(One(RemoteNames.Parse(target), (remote, name, meter, cancel) => Downloader.PipeAsync(remote, name, console.Output, meter, cancel)), token);
            if (target.Path.EndsWith('/') || target.Path.Length == 0) return await run.RunAsync(All(dialer, target.Path, to ?? ".", options, token), token);
            var path = LocalPath(target.Path, to);
            return await run.RunAsync(One(RemoteNames.Parse(target), (remote, name, meter, cancel) => Downloader.RunAsync(remote, name, path, options.Resume, meter, cancel)), token);
        });
        return HelpText.WithHelp(command, Notes);
    }

    private static string LocalPath(string remote, string? local)
    {
        var name = remote[(remote.LastIndexOf('/') + 1)..];
        return local is null ? name : local.EndsWith('/') || Directory.Exists(local) ? Path.Combine(local, name) : local;
    }

    private static async IAsyncEnumerable<TransferJob> One(FileName name, Func<IRemoteFiles, FileName, TransferMeter, CancellationToken, Task<TransferResult>> transfer)
    {
        await Task.CompletedTask;
        yield return new(name.Value, 0, (remote, meter, cancel) => transfer(remote, name, meter, cancel));
    }

    /// <summary>The names are checked when they are read: none leads out of <paramref name="folder"/>.</summary>
    private static async IAsyncEnumerable<TransferJob> All(Dialer dialer, string prefix, string folder, TransferOptions options, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var lister = await RemoteFiles.OpenAsync(dialer, options.Tftp, cancellationToken);
        var found = false;
        await foreach (var file in RemoteNames.ListAsync(lister, prefix, cancellationToken))
        {
            found = true;
            var path = Path.Combine([folder, .. file.Name.Value[prefix.Length..].Split('/')]);
            yield return new(file.Name.Value, file.Length, (remote, meter, cancel) => Downloader.RunAsync(remote, file.Name, path, options.Resume, meter, cancel));
        }

        if (!found) throw new CliException(ExitCode.Refused, "There are no files whose names begin so.");
    }
}

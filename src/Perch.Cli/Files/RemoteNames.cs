using System.Runtime.CompilerServices;
using Perch.Cli.Net;
using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>Names of files at the server: of a URL, and of a list.</summary>
internal static class RemoteNames
{
    /// <exception cref="CliException">The URL's path is no name.</exception>
    public static FileName Parse(Target target) => target.Path.Length == 0
        ? throw new CliException(ExitCode.Usage, "The URL needs the name of a file: files://host/name.")
        : FileName.TryParse(target.Path, out var name, out var fault) ? name : throw new CliException(ExitCode.Usage, $"The URL's path is no name: {fault}");

    /// <returns>All files whose names begin with <paramref name="prefix"/>, page by page.</returns>
    public static async IAsyncEnumerable<ListedFile> ListAsync(IRemoteFiles remote, string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!FileName.TryParsePrefix(prefix, out _, out var fault)) throw new CliException(ExitCode.Usage, $"No name begins so: {fault}");
        for (var after = ""; ;)
        {
            IReadOnlyList<ListedFile> page;
            try
            {
                page = await remote.ListAsync(prefix, after, cancellationToken);
            }
            catch (FileRefusal refusal)
            {
                throw refusal.Of(null);
            }

            foreach (var file in page)
            {
                // In their order and with the prefix: so a list ends, and none of it lies elsewhere.
                if (!file.Name.Value.StartsWith(prefix, StringComparison.Ordinal) || FileName.Compare(file.Name.Value, after) <= 0)
                    throw new CliException(ExitCode.Refused, "The server's list has names that were not asked for, or are out of order.");
                after = file.Name.Value;
                yield return file;
            }

            if (page.Count < FileCommand.MaxLimit) yield break;
        }
    }
}

using System.Text;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>The files that paths of this machine stand for, and their names at the server.</summary>
internal static class LocalTree
{
    /// <summary>A file is itself; a folder is all in it, under its name. Links to folders are not followed: they may lead in circles.</summary>
    /// <param name="path">What was given.</param>
    /// <param name="prefix">The folder at the server, empty or with a slash at its end; or the whole name where <paramref name="isWholeName"/>.</param>
    /// <param name="isWholeName">Whether the one file is to have just that name.</param>
    /// <returns>
    /// Either a regular file, or a fault: another type of file, a name that the server would not take, a folder that cannot be read.
    /// </returns>
    public static IEnumerable<(LocalFile? File, Failure? Fault)> Walk(string path, string prefix, bool isWholeName)
    {
        if (!Directory.Exists(path))
        {
            yield return Name(path, isWholeName ? prefix : prefix + Path.GetFileName(path));
            yield break;
        }

        var folder = Path.GetFileName(Path.GetFullPath(path).TrimEnd(Path.DirectorySeparatorChar));
        // "." and "x/." are the folder's contents, as cp has it.
        var isContents = path is "." or ".." || path.EndsWith("/.", StringComparison.Ordinal) || path.EndsWith("/..", StringComparison.Ordinal);
        foreach (var found in WalkFolder(path, isWholeName ? prefix + "/" : isContents || folder.Length == 0 ? prefix : $"{prefix}{folder}/")) yield return found;
    }

    private static IEnumerable<(LocalFile? File, Failure? Fault)> WalkFolder(string folder, string prefix)
    {
        List<FileSystemInfo> entries = [];
        Failure? fault = null;
        try
        {
            entries = [.. new DirectoryInfo(folder).EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            fault = new(ExitCode.LocalFile, $"{PeerText.Escape(folder)}: {FolderFault(folder, exception)}");
        }

        if (fault is not null) yield return (null, fault);
        foreach (var entry in entries)
        {
            if (entry is not DirectoryInfo directory)
            {
                yield return Name(entry.FullName, prefix + entry.Name);
                continue;
            }

            if (directory.LinkTarget is not null)
            {
                yield return (null, new(ExitCode.LocalFile, $"{PeerText.Escape(directory.FullName)}: a link to a folder is not followed."));
                continue;
            }

            foreach (var found in WalkFolder(directory.FullName, $"{prefix}{directory.Name}/")) yield return found;
        }
    }

    private static string FolderFault(string folder, Exception exception) =>
        exception is DirectoryNotFoundException && LocalPath.Fault(folder) is { } fault ? fault + "." : exception.Message;

    private static (LocalFile? File, Failure? Fault) Name(string path, string name)
    {
        if (LocalPath.Fault(path) is { } type)
            return (null, new(ExitCode.LocalFile, $"{PeerText.Escape(path)}: {type}."));
        if (!FileName.TryParse(Encoding.UTF8.GetBytes(name), out var parsed, out var fault))
            return (null, new(ExitCode.Refused, $"{PeerText.Escape(path)}: the server takes no such name: {fault}"));
        return (new(path, parsed, new FileInfo(path).Length), null);
    }
}

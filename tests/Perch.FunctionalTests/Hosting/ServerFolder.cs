using System.Runtime.InteropServices;

namespace Perch.FunctionalTests.Hosting;

/// <summary>A content root of its own, and the ways in which a file in it is edited.</summary>
internal sealed partial class ServerFolder : IDisposable
{
    private const string FileName = "appsettings.json";

    private int _version;

    public ServerFolder() => Root = Directory.CreateTempSubdirectory("perch-").FullName;

    public ServerFolder(ServerSettings settings)
        : this() => Write(settings.ToString());

    public string Root { get; }

    public string File => Path.Combine(Root, FileName);

    /// <summary>In place: truncated and written, as <c>echo ... &gt; file</c> does.</summary>
    public void Write(string content) => System.IO.File.WriteAllText(File, content);

    /// <summary>A new file takes the old one's name, as most editors do.</summary>
    public void WriteByRename(string content)
    {
        var next = File + "~";
        System.IO.File.WriteAllText(next, content);
        System.IO.File.Move(next, File, overwrite: true);
    }

    /// <summary>
    /// As Kubernetes mounts a ConfigMap: the file is a link to <c>..data/appsettings.json</c>, <c>..data</c> a link to a
    /// folder with a time in its name, and a change renames a new <c>..data</c> over the old one.
    /// </summary>
    public void WriteBySymlinkSwap(string content)
    {
        var folder = Path.Combine(Root, $"..version_{++_version}");
        Directory.CreateDirectory(folder);
        System.IO.File.WriteAllText(Path.Combine(folder, FileName), content);
        var (data, next) = (Path.Combine(Root, "..data"), Path.Combine(Root, "..data_tmp"));
        System.IO.File.CreateSymbolicLink(next, Path.GetFileName(folder));
        Assert.Equal(0, Rename(next, data));
        if (new FileInfo(File).LinkTarget is not null) return;
        System.IO.File.Delete(File);
        System.IO.File.CreateSymbolicLink(File, Path.Combine("..data", FileName));
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    // File.Move refuses a link to a folder.
    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(string from, string to);
}

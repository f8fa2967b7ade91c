using System.IO.Enumeration;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;
using Perch.Stores;

namespace Perch.Files.Disk;

/// <summary>
/// An open folder. Everything in it is named by one segment and never followed where it is a link, so whoever starts at the
/// root and goes from folder to folder stays below it, also while somebody swaps folders for links.
/// </summary>
internal sealed class DiskFolder : IDisposable
{
    private const uint FolderMode = (uint)DataModes.Folder;
    private const uint FileMode = (uint)DataModes.File;

    private readonly SafeFileHandle _handle;
    private readonly string _path;

    private DiskFolder(SafeFileHandle handle, string path) => (_handle, _path) = (handle, path);

    /// <summary>Opens the root, which may be reached by links: it is the operator's.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="create">Whether it is made where it is not there.</param>
    public static DiskFolder OpenRoot(string path, bool create)
    {
        if (!OperatingSystem.IsLinux()) throw FileStoreException.Unavailable("The disk store needs Linux: it opens files relative to folders, which .NET cannot.");
        try
        {
            if (create) DataModes.CreateFolder(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw FileStoreException.Unavailable($"{path}: {exception.Message}", exception);
        }

        var opened = Posix.Open(path, Posix.Flags.Folder | Posix.CloseOnExec, 0);
        if (opened < 0) throw DiskError.Of(Marshal.GetLastPInvokeError(), path);
        return new(new(opened, ownsHandle: true), path);
    }

    /// <returns>Null where it is not there, or is a link or a file.</returns>
    public DiskFolder? TryOpenFolder(string segment)
    {
        var opened = Posix.OpenAt(_handle, segment, Posix.Flags.Folder | Posix.Flags.NoFollow | Posix.CloseOnExec, 0);
        if (opened >= 0) return new(new(opened, ownsHandle: true), Path.Combine(_path, segment));
        return Marshal.GetLastPInvokeError() is var errno && errno is Posix.ENOENT or Posix.ENOTDIR or Posix.ELOOP ? null : throw Error(errno, segment);
    }

    /// <summary>Opens it, and makes it where it is not there.</summary>
    /// <returns>Null where a link or a file has the name.</returns>
    public DiskFolder? TryMakeFolder(string segment)
    {
        if (TryOpenFolder(segment) is { } there) return there;
        if (Posix.MakeFolderAt(_handle, segment, FolderMode) != 0 && Marshal.GetLastPInvokeError() is var errno && errno != Posix.EEXIST) throw Error(errno, segment);
        return TryOpenFolder(segment);
    }

    /// <returns>Null where it is not there, or is anything but a plain file.</returns>
    public SafeFileHandle? TryOpenFile(string segment, out Posix.FileStatusBlock status, bool forWriting = false)
    {
        status = default;
        var flags = Posix.Flags.NoFollow | Posix.NonBlocking | Posix.CloseOnExec | (forWriting ? Posix.ReadWrite : 0);
        var opened = Posix.OpenAt(_handle, segment, flags, 0);
        if (opened < 0)
            return Marshal.GetLastPInvokeError() is var errno && errno is Posix.ENOENT or Posix.ENOTDIR or Posix.ELOOP or Posix.ENXIO or Posix.EISDIR ? null : throw Error(errno, segment);
        var file = new SafeFileHandle(opened, ownsHandle: true);
        if (Posix.Stat(file, "", Posix.AtEmptyPath, out status) == 0 && status.IsRegular) return file;
        file.Dispose();
        return null;
    }

    /// <summary>Opens a file so that what is written goes to the disk past the page cache: whole pages, from memory that begins on one (open(2), <c>O_DIRECT</c>).</summary>
    /// <returns>Null where it is not there, or the file system cannot.</returns>
    public SafeFileHandle? TryOpenDirect(string segment)
    {
        var opened = Posix.OpenAt(_handle, segment, Posix.ReadWrite | Posix.Flags.Direct | Posix.Flags.NoFollow | Posix.CloseOnExec, 0);
        return opened >= 0 ? new(opened, ownsHandle: true) : null;
    }

    /// <summary>Makes a file that was not there.</summary>
    public SafeFileHandle CreateFile(string segment, bool exclusive = true)
    {
        var flags = Posix.ReadWrite | Posix.Create | Posix.Flags.NoFollow | Posix.CloseOnExec | (exclusive ? Posix.Exclusive : 0);
        var opened = Posix.OpenAt(_handle, segment, flags, FileMode);
        return opened >= 0 ? new(opened, ownsHandle: true) : throw Error(Marshal.GetLastPInvokeError(), segment);
    }

    /// <summary>Keeps what has this name from being freed when the name goes; it can be neither read nor written.</summary>
    /// <returns>Null where it is not there.</returns>
    public SafeFileHandle? TryHold(string segment)
    {
        var opened = Posix.OpenAt(_handle, segment, Posix.PathOnly | Posix.Flags.NoFollow | Posix.CloseOnExec, 0);
        return opened >= 0 ? new(opened, ownsHandle: true) : null;
    }

    /// <summary>What has this name, links not followed.</summary>
    public Posix.FileStatusBlock? TryStat(string segment) => Posix.Stat(_handle, segment, Posix.AtSymlinkNoFollow, out var status) switch
    {
        0 => status,
        Posix.ENOENT => null,
        var errno => throw Error(errno, segment),
    };

    /// <returns>Whether it was there.</returns>
    public bool Delete(string segment)
    {
        if (Posix.UnlinkAt(_handle, segment, 0) == 0) return true;
        return Marshal.GetLastPInvokeError() is var errno && errno == Posix.ENOENT ? false : throw Error(errno, segment);
    }

    /// <returns>False where it is not empty, or not there.</returns>
    public bool TryDeleteFolder(string segment)
    {
        if (Posix.UnlinkAt(_handle, segment, Posix.AtRemoveDir) == 0) return true;
        return Marshal.GetLastPInvokeError() is var errno && errno is Posix.ENOENT or Posix.ENOTEMPTY or Posix.EEXIST or Posix.ENOTDIR ? false : throw Error(errno, segment);
    }

    /// <summary>Takes the place of whatever has the new name; a link there is replaced itself.</summary>
    /// <returns>False where either folder or the file is gone, or a folder has the new name.</returns>
    public bool TryRename(string segment, DiskFolder to, string newSegment)
    {
        if (Posix.RenameAt(_handle, segment, to._handle, newSegment) == 0) return true;
        return Marshal.GetLastPInvokeError() is var errno && errno is Posix.ENOENT or Posix.EISDIR ? false : throw Error(errno, segment);
    }

    /// <summary>Makes the names in it durable.</summary>
    public void Sync()
    {
        if (Posix.Sync(_handle) != 0) throw Error(Marshal.GetLastPInvokeError(), "");
    }

    /// <summary>Calls for each name in it, in no order. A link to a folder is told as a folder.</summary>
    /// <param name="each">The name, and whether it is a folder.</param>
    public void ForEach(NameAction each)
    {
        var isHeld = false;
        var options = new EnumerationOptions { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false, ReturnSpecialDirectories = false };
        try
        {
            _handle.DangerousAddRef(ref isHeld);
            // The system opens by this path what the handle has open, whatever became of its own path. Once the handle is closed the
            // number may be that of another folder, so it is held.
            var path = $"/proc/self/fd/{_handle.DangerousGetHandle()}";
            var entries = new FileSystemEnumerable<bool>(path, static (ref FileSystemEntry _) => true, options)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) =>
                {
                    each(entry.FileName, entry.IsDirectory);
                    return false;
                },
            };
            foreach (var _ in entries)
            {
                // None is included: the predicate has seen them all.
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            throw FileStoreException.Unavailable($"{_path}: {exception.Message}", exception);
        }
        finally
        {
            if (isHeld) _handle.DangerousRelease();
        }
    }

    /// <summary>The names of a folder that is known to be small.</summary>
    public List<string> Names()
    {
        var names = new List<string>();
        ForEach((name, _) => names.Add(name.ToString()));
        return names;
    }

    public void Dispose() => _handle.Dispose();

    private FileStoreException Error(int errno, string segment) => DiskError.Of(errno, Path.Combine(_path, segment));
}

/// <summary>Takes a name without a copy.</summary>
internal delegate void NameAction(ReadOnlySpan<char> name, bool isFolder);

using Microsoft.Win32.SafeHandles;
using Perch.Linux;
using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>The folders of the store, held open: see <see cref="DiskFileStore"/> for what is where.</summary>
internal sealed class DiskLayout : IDisposable
{
    /// <summary>No name of a file begins with a dot.</summary>
    public const string Own = ".perch";

    /// <summary>What a probe's file in <c>uploads</c> begins with.</summary>
    public const string Probe = "probe.";

    private const int LockExclusiveNow = 2 | 4;

    private readonly DiskFolder[] _meta = new DiskFolder[16];
    private SafeFileHandle? _lock;

    private DiskLayout(DiskFolder root) => Root = root;

    public DiskFolder Root { get; }

    /// <summary>Unfinished uploads.</summary>
    public DiskFolder Uploads { get; private set; } = null!;

    /// <summary>Metadata of files that are about to get their names.</summary>
    public DiskFolder Next { get; private set; } = null!;

    /// <summary>Makes what is not there and takes the store's lock.</summary>
    /// <exception cref="FileStoreException">It cannot be used, or another process has it.</exception>
    public static DiskLayout Open(string path)
    {
        var layout = new DiskLayout(DiskFolder.OpenRoot(path, create: true));
        try
        {
            using var own = layout.OpenOwn(make: true)!;
            layout._lock = own.CreateFile("lock", exclusive: false);
            if (Posix.Lock(layout._lock, LockExclusiveNow) != 0)
                throw FileStoreException.Unavailable(
                    $"{path} is in use by another Perch process, which 'fuser {path}/{Own}/lock' names. A disk folder belongs to one "
                    + "process: give this process another Perch:Files:Path, or set Perch:Files:Store to S3 in each.");
            own.Sync();
            layout.Root.Sync();
            return layout;
        }
        catch
        {
            layout.Dispose();
            throw;
        }
    }

    /// <summary>Opens what is there to be looked at, beside a server that may use it.</summary>
    /// <returns>Null where there is no store.</returns>
    public static DiskLayout? OpenForReading(string path)
    {
        if (!Directory.Exists(path)) return null;
        var layout = new DiskLayout(DiskFolder.OpenRoot(path, create: false));
        using var own = layout.OpenOwn(make: false);
        if (own is not null) return layout;
        layout.Dispose();
        return null;
    }

    /// <summary>Where the metadata of the files with this key is.</summary>
    public DiskFolder Meta(string key) => _meta[Convert.ToInt32(key[..1], 16)];

    /// <summary>All folders of metadata.</summary>
    public IReadOnlyList<DiskFolder> MetaFolders => _meta;

    /// <summary>The folder that has a file, and the last segment of its name.</summary>
    /// <returns>Null where there is none, or a link is on the way. To be disposed unless it is the root.</returns>
    public DiskFolder? TryOpenParent(FileName name, out string leaf)
    {
        var segments = name.Segments();
        leaf = segments[^1];
        DiskFolder? folder = Root;
        for (var i = 0; i < segments.Length - 1 && folder is not null; i++)
        {
            var next = folder.TryOpenFolder(segments[i]);
            Release(folder);
            folder = next;
        }

        return folder;
    }

    /// <summary>Whether a file could get this name now, so that an uploader is told before the bytes.</summary>
    /// <exception cref="FileStoreException"><c>conflict</c>.</exception>
    public void CheckPath(FileName name)
    {
        var segments = name.Segments();
        var folder = Root;
        for (var i = 0; i < segments.Length; i++)
        {
            var (isLeaf, status) = (i == segments.Length - 1, folder.TryStat(segments[i]));
            var next = isLeaf || status is null ? null : folder.TryOpenFolder(segments[i]);
            Release(folder);
            if (isLeaf && status is { IsFolder: true }) throw FolderConflict();
            if (!isLeaf && status is not null && next is null) throw FileConflict();
            if (next is null) return;
            folder = next;
        }
    }

    public static FileStoreException FolderConflict() => new("conflict", "a folder has this name");

    /// <summary>The folders from the root to the one that is to have the file; those that are missing are made.</summary>
    /// <exception cref="FileStoreException"><c>conflict</c>: a file or a link has the name of a folder.</exception>
    public List<DiskFolder> MakeParents(FileName name)
    {
        List<DiskFolder> chain = [Root];
        foreach (var segment in name.Segments().AsSpan()[..^1])
        {
            if (chain[^1].TryMakeFolder(segment) is { } folder)
            {
                chain.Add(folder);
                continue;
            }

            Release(chain);
            throw FileConflict();
        }

        return chain;
    }

    public void Release(DiskFolder? folder)
    {
        if (folder != Root) folder?.Dispose();
    }

    public void Release(List<DiskFolder> chain) => chain.ForEach(Release);

    public void Dispose()
    {
        foreach (var folder in _meta) folder?.Dispose();
        Uploads?.Dispose();
        Next?.Dispose();
        _lock?.Dispose();
        Root.Dispose();
    }

    private static FileStoreException FileConflict() => new("conflict", "a file has the name of one of its folders");

    private DiskFolder? OpenOwn(bool make)
    {
        DiskFolder? Folder(DiskFolder parent, string segment) => make
            ? parent.TryMakeFolder(segment) ?? throw FileStoreException.Unavailable($"{segment} in the store is not a folder.")
            : parent.TryOpenFolder(segment);

        var own = Folder(Root, Own);
        if (own is null) return null;
        if (Folder(own, "uploads") is not { } uploads || Folder(own, "next") is not { } next || Folder(own, "meta") is not { } meta)
        {
            own.Dispose();
            return null;
        }

        using var _ = meta;
        (Uploads, Next) = (uploads, next);
        for (var i = 0; i < _meta.Length; i++)
        {
            if (Folder(meta, i.ToString("x", System.Globalization.CultureInfo.InvariantCulture)) is not { } folder)
            {
                own.Dispose();
                return null;
            }

            _meta[i] = folder;
        }

        if (make) meta.Sync();
        return own;
    }
}

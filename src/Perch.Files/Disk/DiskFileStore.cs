using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;
using Perch.Stores;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>
/// Files in a folder of this machine. A stored file is a plain file under its own name, to the byte what was uploaded.
/// </summary>
/// <remarks>
/// <code>
/// photos/cat.jpg               a file, under its name
/// .perch/meta/3/3f0c...        what is known of it (JSON), under the SHA-256 of its name
/// .perch/uploads/3f0c....9a1b  an unfinished upload of it
/// .perch/next/3f0c....9a1b     what will be known of it, while it is being published
/// .perch/lock                  held by the process that serves the folder
/// </code>
/// To publish: sync the upload; write its metadata into <c>next</c>, and sync that; rename the upload to the file's name (from
/// here on it is visible); rename the metadata from <c>next</c> to <c>meta</c>; sync the folders. Only then the uploader is
/// told. After a crash in between, the number of the file (inode) in the metadata of <c>next</c> tells whether the first rename was
/// made: then the second is made, else the upload is still an unfinished one. So there is never half a file under a name, nor
/// one with another's metadata.
/// <para>
/// Names of peers are walked folder by folder and never through a link (<see cref="DiskFolder"/>); a link in the place of a file
/// is not served, and is itself replaced by an upload of its name. A file without metadata is not the store's: it is not served
/// or listed.
/// </para>
/// <para>
/// Never cleaned up: files that others put into the folder, and metadata whose file others took away. Names that differ in case
/// or normalization are different files where the file system says so, as Linux's do.
/// </para>
/// </remarks>
internal sealed partial class DiskFileStore : IFileStore
{
    /// <summary>The name for <c>Perch:Files:Store</c>.</summary>
    public const string StoreName = "Disk";

    private const int ThreadCount = 8;
    private const int ListingCount = 2;
    private const int Stripes = 64;
    private const int RenameTries = 10;

    private readonly string _path;
    private readonly FileStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<DiskFileStore> _logger;
    private readonly RetentionClock _retention;
    private readonly SemaphoreSlim _opening = new(1);
    private readonly SemaphoreSlim _listing = new(ListingCount);
    private readonly Lock[] _names = [.. Enumerable.Range(0, Stripes).Select(_ => new Lock())];
    private readonly DiskPages _pages = new();
    private DiskLayout? _layout;
    private DiskUploads? _uploads;
    private DiskRoom? _room;

    /// <param name="path">Absolute. Made where it is not there.</param>
    /// <param name="options">The limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what was found at the start.</param>
    /// <param name="freeBytes">How much the disk has left; null asks the system.</param>
    public DiskFileStore(string path, FileStoreOptions options, TimeProvider time, ILogger<DiskFileStore> logger, Func<long>? freeBytes = null)
    {
        (_path, _options, _time, _logger) = (path, options, time, logger);
        _retention = RetentionClock.OfThisMachine(time, logger);
        Threads = new(ThreadCount, options.DiskTimeout, time);
        Quota = new(options, time, freeBytes ?? (() => new DriveInfo(path).AvailableFreeSpace));
    }

    public FileTotals Totals => Quota.Totals;

    public FileLimits Limits => Quota.Limits;

    public DiskThreads Threads { get; }

    public DiskQuota Quota { get; }

    public DiskUploads Uploads => _uploads ?? throw FileStoreException.Unavailable($"{_path} is not open.");

    public DiskRoom Room => _room ?? throw FileStoreException.Unavailable($"{_path} is not open.");

    private DiskLayout Layout => _layout ?? throw FileStoreException.Unavailable($"{_path} is not open.");

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken);
        try
        {
            if (_layout is null) await Threads.RunAsync(Open);
        }
        finally
        {
            _opening.Release();
        }
    }

    public Task ProbeAsync(CancellationToken cancellationToken) => Threads.RunAsync(() =>
    {
        if (Quota.Totals.Fault is { } fault) Recount(fault);
        Quota.CheckFree();
        var entry = $"{DiskLayout.Probe}{Guid.NewGuid():N}";
        using var file = Layout.Uploads.CreateFile(entry);
        try
        {
            RandomAccess.Write(file, new byte[4096], 0);
            // A disk that hangs takes what is written, for a while.
            DiskMetadata.Sync(file, entry);
        }
        finally
        {
            Layout.Uploads.Delete(entry);
        }
    });

    public async Task<IFileUpload> BeginAsync(FileUploadRequest request, CancellationToken cancellationToken)
    {
        var upload = await Threads.RunAsync(
            () =>
            {
                Layout.CheckPath(request.Name);
                var upload = new DiskUpload(this, request);
                var found = Find(request.Name);
                if (request.OnlyNew && found is not null) throw FileStoreException.Exists();
                upload.Begin(found);
                return upload;
            },
            static late => late?.Leave());
        await upload.CatchUpAsync(cancellationToken);
        return upload;
    }

    public async Task<IFileSnapshot?> OpenReadAsync(FileName name, CancellationToken cancellationToken) =>
        await Threads.RunAsync(() => OpenRead(name), static late => late?.Close());

    public Task<FileStatus> StatAsync(FileName name, CancellationToken cancellationToken) => Threads.RunAsync(() =>
    {
        long durable = 0;
        if (Uploads.TryGet(DiskMetadata.KeyOf(name), out var partial))
        {
            durable = Durable(partial);
        }

        return new FileStatus(Find(name), durable);
    });

    public async Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, string after, int limit, CancellationToken cancellationToken)
    {
        // A large folder takes long; the threads are for the others too.
        await _listing.WaitAsync(cancellationToken);
        try
        {
            return await Threads.RunAsync(() => _pages.Read(Layout, prefix, after, limit, Find));
        }
        finally
        {
            _listing.Release();
        }
    }

    public Task<bool> DeleteAsync(FileName name, FileCondition? condition, CancellationToken cancellationToken) => Threads.RunAsync(() =>
    {
        var key = DiskMetadata.KeyOf(name);
        var wasFile = Delete(name, key, condition);
        // An unfinished upload is not a file: the condition sees a free name.
        if (!wasFile && Uploads.TryGet(key, out _)) Check(condition, file: null);
        return Uploads.DropIdle(key) || wasFile;
    });

    public Task<int> TrimAsync(CancellationToken cancellationToken) =>
        Threads.RunAsync(() => Uploads.Trim(_retention.DueBefore(_options.AbandonAfter)));

    public async IAsyncEnumerable<FileFinding> VerifyAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var layout = DiskLayout.OpenForReading(_path);
        if (layout is null) yield break;
        using var findings = new DiskVerifier(layout).Verify(cancellationToken).GetEnumerator();
        while (await Threads.RunAsync(findings.MoveNext)) yield return findings.Current;
    }

    public ValueTask DisposeAsync()
    {
        Threads.Dispose();
        _uploads?.Clear();
        _layout?.Dispose();
        _opening.Dispose();
        _listing.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Gives a whole upload its name. Called by its owner, under its lock.</summary>
    internal StoredFile Publish(DiskPartial partial, FileUploadRequest request, DiskReservation reservation)
    {
        partial.Sync();
        if (Posix.Stat(partial.File, "", Posix.AtEmptyPath, out var status) is var errno and not 0) throw DiskError.Of(errno, partial.Entry);
        var now = _time.GetUtcNow();
        var metadata = new DiskMetadata(request.Name.Value, partial.Length, partial.Hash(), new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero), request.Endpoint, request.Remote, status.Inode);
        Layout.Next.Delete(partial.Entry);
        try
        {
            metadata.Write(Layout.Next, partial.Entry);
            Layout.Next.Sync();
            Name(partial, request, reservation);
        }
        catch when (!partial.IsNamed)
        {
            Layout.Next.Delete(partial.Entry);
            throw;
        }

        return metadata.ToFile(request.Name);
    }

    private void Name(DiskPartial partial, FileUploadRequest request, DiskReservation reservation)
    {
        var name = request.Name;
        for (var i = 0; i < RenameTries; i++)
        {
            var chain = Layout.MakeParents(name);
            SafeFileHandle? replaced = null;
            try
            {
                var leaf = name.Segments()[^1];
                lock (NameLock(partial.Key))
                {
                    var old = chain[^1].TryStat(leaf);
                    if (old is { IsFolder: true }) throw DiskLayout.FolderConflict();
                    // What is there may be nobody's file, or a link: an upload that may replace nothing leaves that too.
                    if (request.OnlyNew && old is not null) throw FileStoreException.Exists();
                    if (request.Condition is not null) Check(request.Condition, Find(name, partial.Key));
                    if (old is not { IsRegular: true }) Quota.ReserveFile(reservation);
                    // An empty one is none. With it there, the second rename needs no space: a full disk fails before the first.
                    Layout.Meta(partial.Key).CreateFile(partial.Key, exclusive: false).Dispose();
                    // Else the rename would wait until all of its blocks are free.
                    replaced = chain[^1].TryHold(leaf);
                    // A folder may have been deleted, being empty, since it was opened.
                    if (!Layout.Uploads.TryRename(partial.Entry, chain[^1], leaf)) continue;
                    partial.IsNamed = true;
                    Quota.Published(reservation, partial.Length, old is { IsRegular: true, Size: var size } ? size : null);
                    if (!Layout.Next.TryRename(partial.Entry, Layout.Meta(partial.Key), partial.Key)) throw FileStoreException.Unavailable($"{partial.Entry} is gone from the store");
                }

                _pages.Changed();
                for (var folder = chain.Count - 1; folder >= 0; folder--) chain[folder].Sync();
                return;
            }
            finally
            {
                Layout.Release(chain);
                if (replaced is not null) Threads.Close(replaced);
            }
        }

        throw FileStoreException.Unavailable($"{PeerText.Escape(name.Value)} could not be given its name: its folder is deleted again and again");
    }

    private DiskSnapshot? OpenRead(FileName name)
    {
        var key = DiskMetadata.KeyOf(name);
        // The file and what is known of it change in two steps.
        lock (NameLock(key))
        {
            var parent = Layout.TryOpenParent(name, out var leaf);
            var handle = parent?.TryOpenFile(leaf, out _);
            Layout.Release(parent);
            if (handle is null) return null;
            if (DiskMetadata.TryRead(Layout.Meta(key), key) is { } metadata && metadata.Name == name.Value)
            {
                if (metadata.Length == RandomAccess.GetLength(handle)) return new DiskSnapshot(Threads, handle, metadata.ToFile(name));
                handle.Dispose();
                throw new FileStoreException("corrupt", "the file is damaged", $"{PeerText.Escape(name.Value)} has another length than when it was stored. Upload it again.");
            }

            handle.Dispose();
            return null;
        }
    }

    /// <summary>The file of this name; null where there is none.</summary>
    private StoredFile? Find(FileName name)
    {
        var key = DiskMetadata.KeyOf(name);
        lock (NameLock(key)) return Find(name, key);
    }

    private StoredFile? Find(FileName name, string key)
    {
        var parent = Layout.TryOpenParent(name, out var leaf);
        var isThere = parent?.TryStat(leaf) is { IsRegular: true };
        Layout.Release(parent);
        return isThere && DiskMetadata.TryRead(Layout.Meta(key), key) is { } metadata && metadata.Name == name.Value ? metadata.ToFile(name) : null;
    }

    private static void Check(FileCondition? condition, StoredFile? file)
    {
        if (condition?.IsMet(file) == false) throw FileStoreException.Precondition();
    }

    /// <returns>Whether there was a file.</returns>
    private bool Delete(FileName name, string key, FileCondition? condition)
    {
        lock (NameLock(key))
        {
            if (Find(name, key) is not { } file) return false;
            Check(condition, file);
            if (Layout.TryOpenParent(name, out var leaf) is not { } parent) return false;
            try
            {
                // Its length now, which is what a scan would have counted.
                var length = parent.TryStat(leaf)?.Size ?? file.Length;
                if (parent.Delete(leaf)) Quota.Deleted(length);
                Layout.Meta(key).Delete(key);
                parent.Sync();
            }
            finally
            {
                Layout.Release(parent);
            }
        }

        DeleteEmptyFolders(name);
        return true;
    }

    /// <summary>Makes what an upload has durable; where somebody holds it for long, what was made so before is the answer.</summary>
    private static long Durable(DiskPartial partial)
    {
        if (!partial.Lock.TryEnter(TimeSpan.FromSeconds(1))) return partial.Synced;
        try
        {
            return partial.IsLost ? 0 : partial.Sync();
        }
        finally
        {
            partial.Lock.Exit();
        }
    }

    private void DeleteEmptyFolders(FileName name)
    {
        for (var path = name.Value; path.LastIndexOf('/') is var slash and > 0;)
        {
            path = path[..slash];
            if (!FileName.TryParse(path, out var folder, out _) || Layout.TryOpenParent(folder, out var leaf) is not { } parent) return;
            var isDeleted = parent.TryDeleteFolder(leaf);
            Layout.Release(parent);
            if (!isDeleted) return;
        }
    }

    private void Open()
    {
        var layout = DiskLayout.Open(_path);
        try
        {
            var recovered = DiskRecovery.Finish(layout);
            var (files, bytes) = DiskRecovery.Count(layout);
            Quota.Reset();
            Quota.Counted(files, bytes);
            var uploads = new DiskUploads(layout, Quota, _options, _time);
            uploads.Load();
            (_uploads, _room, _layout) = (uploads, new(uploads, Quota, _time), layout);
            var totals = Totals;
            Log.Opened(_logger, _path, totals.Files, totals.Bytes, totals.Partials, recovered);
        }
        catch
        {
            layout.Dispose();
            throw;
        }
    }

    /// <summary>Counts the files while no name changes.</summary>
    private void Recount(string fault)
    {
        foreach (var name in _names) name.Enter();
        try
        {
            var (files, bytes) = DiskRecovery.Count(Layout);
            Log.Recounted(_logger, _path, fault, files, bytes);
            Quota.Counted(files, bytes);
        }
        finally
        {
            foreach (var name in _names) name.Exit();
        }
    }

    private Lock NameLock(string key) => _names[Convert.FromHexString(key.AsSpan(0, 2))[0] % Stripes];

    private static partial class Log
    {
        [LoggerMessage(4500, LogLevel.Information, "{Path} is open: {Files} files, {Bytes} bytes, {Partials} unfinished uploads; {Recovered} were published as a crash left them", EventName = "FileStoreOpened")]
        public static partial void Opened(ILogger logger, string path, long files, long bytes, int partials, int recovered);

        [LoggerMessage(4501, LogLevel.Error, "{Path}: {Fault}: {Files} files, {Bytes} bytes", EventName = "FileStoreRecounted")]
        public static partial void Recounted(ILogger logger, string path, string fault, long files, long bytes);
    }
}

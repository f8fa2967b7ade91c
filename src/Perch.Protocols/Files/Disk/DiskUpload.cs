using System.Buffers;
using System.Runtime.CompilerServices;

namespace Perch.Protocols.Files.Disk;

/// <summary>One uploader at work on a <see cref="DiskPartial"/>.</summary>
internal sealed class DiskUpload(DiskFileStore store, FileUploadRequest request) : IFileUpload
{
    /// <summary>More takes no less time.</summary>
    private const int MaxAppendBytes = 1024 * 1024;

    /// <summary>Two blocks of a connection; less is not worth waiting for.</summary>
    private const int MinAppendBytes = 128 * 1024;

    /// <summary>What all uploads together may have in memory beyond a block each: one part is stored while the next one comes.</summary>
    private const int SharedBytes = 32 * 1024 * 1024;

    private readonly AppendJob _append = new();
    private DiskPartial? _partial;
    private long _promised;
    private long _untilCheck;
    private bool _isDone;
    private bool _isLeft;

    public FileUploadRequest Request { get; } = request;

    public int BestAppendBytes
    {
        get
        {
            var share = SharedBytes / 2 / Math.Max(1, store.Quota.Active);
            return share < MinAppendBytes ? 0 : Math.Min(share, MaxAppendBytes);
        }
    }

    /// <summary>On a thread of the disk.</summary>
    public void Begin(long? replaced)
    {
        var key = DiskMetadata.KeyOf(Request.Name);
        if (Request.Offset == 0) Start(key, replaced);
        else Resume(key, replaced);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes)
    {
        _append.Set(this, bytes);
        await _append.StartAsync(store.Threads);
    }

    public async Task<StoredFile> CompleteAsync()
    {
        try
        {
            return await store.Threads.RunAsync(() => Owned(Complete), late: _ => Leave());
        }
        catch (FileStoreException failure) when (failure.IsLate)
        {
            _isLeft = true;
            throw;
        }
    }

    public Task AbortAsync() => store.Threads.RunAsync(() =>
    {
        if (_partial is not { } partial || _isDone) return;
        lock (partial.Lock)
        {
            if (partial.Owner == this) Drop(partial);
        }
    });

    public async ValueTask DisposeAsync()
    {
        if (_isDone || _partial is null || _isLeft) return;
        await store.Threads.RunAsync(Leave, late: Leave);
    }

    /// <summary>The partial stays for whoever goes on; one with which nobody can is dropped. On a thread of the disk.</summary>
    public void Leave()
    {
        if (_isDone || _partial is not { } partial) return;
        _isDone = true;
        _promised = Release();
        lock (partial.Lock)
        {
            if (partial.Owner != this) return;
            if (partial.Length > 0 && !partial.IsDetached && TrySync(partial)) partial.Leave();
            else store.Uploads.Drop(partial);
        }
    }

    private StoredFile Complete(DiskPartial partial)
    {
        if (Request.Sha256 is { } expected && partial.Hash() != expected)
        {
            Drop(partial);
            throw new FileStoreException("checksum", "the bytes that came have another hash, send them again");
        }

        try
        {
            return store.Publish(partial, Request);
        }
        finally
        {
            // Where it failed before it had its name, it is an unfinished upload like any other.
            if (partial.IsNamed) Finish(partial);
        }
    }

    private void Start(string key, long? replaced)
    {
        var more = Request.Length ?? 0;
        store.Quota.Begin(Request.Length, more, replaced, isNew: true);
        _promised = more;
        try
        {
            _partial = store.Uploads.Begin(key, this);
        }
        catch
        {
            store.Quota.Drop(0);
            _promised = Release();
            throw;
        }
    }

    private void Resume(string key, long? replaced)
    {
        if (!store.Uploads.TryGet(key, out var partial)) throw FileStoreException.Offset(0);
        lock (partial.Lock)
        {
            if (!store.Uploads.TryGet(key, out var newest) || newest != partial || partial.IsLost) throw FileStoreException.Offset(0);
            if (Request.Offset > partial.Length) throw FileStoreException.Offset(partial.Length);
            var more = Request.Length is { } length ? length - Request.Offset : 0;
            store.Quota.Begin(Request.Length, more, replaced, isNew: false);
            // From here on whoever wrote it before is superseded.
            (_partial, _promised, partial.Owner) = (partial, more, this);
            store.Quota.Wrote(Request.Offset - partial.Length, promised: false);
            try
            {
                partial.Resume(Request.Offset);
            }
            catch
            {
                store.Quota.Wrote(partial.Length - Request.Offset, promised: false);
                partial.Leave();
                _promised = Release();
                throw;
            }
        }
    }

    /// <summary>Runs with the partial, and only while it is this uploader's.</summary>
    private T Owned<T>(Func<DiskPartial, T> work)
    {
        var partial = _partial!;
        // Looked at before the lock too: whoever took it over may read for long.
        if (partial.Owner != this) throw Superseded();
        lock (partial.Lock)
        {
            if (partial.Owner != this) throw Superseded();
            partial.EnsureNotLost();
            return work(partial);
        }
    }

    private void Append(in ReadOnlySequence<byte> bytes)
    {
        var partial = _partial!;
        if (partial.Owner != this) throw Superseded();
        lock (partial.Lock)
        {
            if (partial.Owner != this) throw Superseded();
            partial.EnsureNotLost();
            if (Request.Length is null) store.Quota.Grow(partial.Length + bytes.Length, bytes.Length);
            if ((_untilCheck -= bytes.Length) <= 0)
            {
                store.Quota.CheckFree();
                _untilCheck = DiskPartial.WriteBehind;
            }

            var before = partial.Length;
            try
            {
                partial.Append(bytes);
            }
            finally
            {
                var written = partial.Length - before;
                store.Quota.Wrote(written, promised: Request.Length is not null);
                if (Request.Length is not null) _promised -= written;
            }
        }
    }

    private static bool TrySync(DiskPartial partial)
    {
        try
        {
            partial.Sync();
            return true;
        }
        catch (FileStoreException)
        {
            // Who asks is told that there is nothing.
            return false;
        }
    }

    private void Finish(DiskPartial partial)
    {
        (_isDone, _promised) = (true, Release());
        partial.Owner = null;
        partial.Dispose();
        store.Uploads.Forget(partial);
    }

    private void Drop(DiskPartial partial)
    {
        (_isDone, _promised) = (true, Release());
        store.Uploads.Drop(partial);
    }

    private long Release()
    {
        store.Quota.Leave(_promised);
        return 0;
    }

    private static FileStoreException Superseded() => new("superseded", "another connection goes on with this upload");

    private sealed class AppendJob : DiskJob
    {
        private DiskUpload? _upload;
        private ReadOnlySequence<byte> _bytes;

        public void Set(DiskUpload upload, ReadOnlySequence<byte> bytes) => (_upload, _bytes) = (upload, bytes);

        protected override int Execute()
        {
            try
            {
                _upload!.Append(_bytes);
                return 0;
            }
            finally
            {
                _bytes = default;
            }
        }
    }
}

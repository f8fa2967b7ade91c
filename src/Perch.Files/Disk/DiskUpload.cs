using System.Buffers;
using Perch.Transport;

namespace Perch.Files.Disk;

/// <summary>One uploader at work on a <see cref="DiskPartial"/>.</summary>
internal sealed class DiskUpload(DiskFileStore store, FileUploadRequest request) : IFileUpload
{
    /// <summary>A whole part, which comes as the disk takes it.</summary>
    public const int PartBytes = DirectTransportOptions.LargeReadBytes;

    /// <summary>Less is hashed sooner than another thread is woken.</summary>
    private const int WorthAThread = 256 * 1024;

    /// <summary>Two blocks of a connection; less is not worth waiting for.</summary>
    private const int MinAppendBytes = 128 * 1024;

    /// <summary>What all uploads together may have in memory beyond a block each: some parts are stored while the next one comes.</summary>
    private const int SharedBytes = 48 * 1024 * 1024;

    private readonly DiskAppend[] _appends = [.. Enumerable.Range(0, IFileUpload.AppendsAtOnce).Select(_ => new DiskAppend(lanes: 2))];
    private DiskLane? _writes;
    private DiskLane? _hashes;
    private DiskPartial? _partial;
    private Exception? _failure;
    private long _came;
    private int _turn;
    private DiskReservation? _reservation;
    private long _untilCheck;
    private bool _isDone;
    private bool _isLeft;

    public FileUploadRequest Request { get; } = request;

    private UploadSource? Source { get; } = UploadSource.From(request.Remote);

    public int BestAppendBytes
    {
        get
        {
            var share = SharedBytes / (IFileUpload.AppendsAtOnce + 1) / Math.Max(1, store.Quota.Active);
            // A part is no more than has come before it, which is what a reset in the middle of it costs at the most.
            var part = (int)Math.Min(Math.Min(share, PartBytes), _came);
            // The whole ones lie on multiples of their size.
            return part < MinAppendBytes ? 0 : Math.Min(part, PartBytes - (int)((Request.Offset + _came) % PartBytes));
        }
    }

    /// <summary>On a thread of the disk.</summary>
    /// <param name="found">The file that has the name; null if the name is free.</param>
    public void Begin(StoredFile? found)
    {
        var key = DiskMetadata.KeyOf(Request.Name);
        if (Request.Offset == 0) Start(key, found);
        else Resume(key, found);
    }

    /// <remarks>Whoever waits for it goes on on a thread of the disk.</remarks>
    public ValueTask AppendAsync(ReadOnlySequence<byte> bytes)
    {
        _turn = (_turn + 1) % _appends.Length;
        var append = _appends[_turn];
        var done = append.Begin(bytes);
        _came += bytes.Length;
        _hashes ??= new(store.Threads, Hash);
        _writes ??= new(store.Threads, Write);
        _hashes.Add(append, isLater: bytes.Length < WorthAThread);
        _writes.Add(append);
        return done;
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
        Release();
        lock (partial.Lock)
        {
            if (partial.Owner != this) return;
            if (partial.Length > 0 && !partial.IsDetached && TrySync(partial)) LeaveToNext(partial);
            else store.Uploads.Drop(partial);
        }
    }

    /// <summary>
    /// Reads and hashes the bytes before the offset, as far as the hash is not known: a step at a time, so that other work has its turns on the
    /// disk's threads between them.
    /// </summary>
    /// <param name="cancellationToken">Ends it between two steps: the upload is left as it is.</param>
    /// <exception cref="FileStoreException"><c>superseded</c>, <c>unavailable</c>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        if (Request.Offset == 0) return;
        try
        {
            do cancellationToken.ThrowIfCancellationRequested();
            while (!await store.Threads.RunAsync(HashStep, late: _ => Leave()));
        }
        catch (Exception exception)
        {
            if (exception is FileStoreException { IsLate: true }) _isLeft = true;
            await DisposeAsync();
            throw;
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
            return store.Publish(partial, Request, _reservation!);
        }
        finally
        {
            // Where it failed before it had its name, it is an unfinished upload like any other.
            if (partial.IsNamed) Finish(partial);
        }
    }

    private void Start(string key, StoredFile? found)
    {
        var replaced = found?.Length;
        var more = Request.Length ?? 0;
        _reservation = store.Room.Reserve(own: null, () => store.Quota.Begin(Request.Length, more, replaced, Source, resumed: null));
        try
        {
            CheckCondition(found);
            _partial = store.Uploads.Begin(key, this, _reservation.Share);
        }
        catch
        {
            store.Quota.Drop(_reservation.Share);
            Release();
            throw;
        }
    }

    private void Resume(string key, StoredFile? found)
    {
        var replaced = found?.Length;
        if (!store.Uploads.TryGet(key, out var partial)) throw FileStoreException.NothingToResume();
        lock (partial.Lock)
        {
            if (!store.Uploads.TryGet(key, out var newest) || newest != partial || partial.IsLost) throw FileStoreException.NothingToResume();
            var have = Request.IsOffsetExact ? partial.Sync() : partial.Length;
            if (Request.Offset > have || (Request.IsOffsetExact && Request.Offset < have)) throw FileStoreException.Offset(have);
            var more = Request.Length is { } length ? length - Request.Offset : 0;
            _reservation = store.Room.Reserve(partial, () => store.Quota.Begin(Request.Length, more, replaced, Source, partial.Share));
            CheckCondition(found);
            // From here on the uploader before this one is superseded.
            (_partial, partial.Owner) = (partial, this);
            store.Uploads.MarkBusy(partial);
            try
            {
                partial.Resume(Request.Offset);
            }
            catch
            {
                LeaveToNext(partial);
                Release();
                throw;
            }
            finally
            {
                store.Quota.Cut(partial.Share, partial.Length);
            }
        }
    }

    private void CheckCondition(StoredFile? found)
    {
        if (Request.Condition?.IsMet(found) != false) return;
        Release();
        throw FileStoreException.Precondition();
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

    private void Hash(DiskAppend append)
    {
        if (!_partial!.TryHash(append.Bytes, this)) throw Superseded();
    }

    private void Write(DiskAppend append)
    {
        try
        {
            if (_failure is not null) throw _failure;
            Write(append.Bytes);
        }
        catch (Exception failure)
        {
            // What comes behind it would leave a gap.
            _failure = failure;
            throw;
        }
        finally
        {
            _hashes!.RunHere();
        }
    }

    private void Write(in ReadOnlySequence<byte> bytes)
    {
        var partial = _partial!;
        if (partial.Owner != this) throw Superseded();
        lock (partial.Lock)
        {
            if (partial.Owner != this) throw Superseded();
            partial.EnsureNotLost();
            Reserve(partial, bytes.Length);
            var before = partial.Length;
            try
            {
                partial.Append(bytes);
            }
            finally
            {
                store.Quota.Wrote(_reservation!, partial.Length - before);
            }
        }
    }

    private void Reserve(DiskPartial partial, long bytes)
    {
        try
        {
            TryReserve(partial, bytes);
        }
        catch (FileStoreException refusal) when (refusal.Shortage is not null)
        {
            ReserveWithRoom(partial, bytes);
        }
    }

    /// <remarks>A method of its own: the delegate is allocated for a refusal only.</remarks>
    private void ReserveWithRoom(DiskPartial partial, long bytes) => store.Room.ReserveWithRoom(partial, () => TryReserve(partial, bytes));

    private bool TryReserve(DiskPartial partial, long bytes)
    {
        store.Quota.Reserve(_reservation!, partial.Length + bytes, bytes);
        var isDue = _untilCheck <= bytes;
        if (isDue) store.Quota.CheckFree();
        _untilCheck = isDue ? DiskPartial.WriteBehind : _untilCheck - bytes;
        return true;
    }

    /// <returns>True if all of it is hashed.</returns>
    private bool HashStep() => _partial!.TryHashStep(this, out var isDone) ? isDone : throw Superseded();

    private void LeaveToNext(DiskPartial partial)
    {
        partial.Leave();
        store.Uploads.MarkIdle(partial);
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
        _isDone = true;
        Release();
        partial.Owner = null;
        partial.Dispose();
        store.Uploads.Forget(partial);
    }

    private void Drop(DiskPartial partial)
    {
        _isDone = true;
        Release();
        store.Uploads.Drop(partial);
    }

    private void Release() => store.Quota.Release(_reservation!);

    private static FileStoreException Superseded() => new("superseded", "another connection goes on with this upload");
}

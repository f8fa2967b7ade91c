using System.Buffers;

namespace Perch.Files.S3;

/// <summary>
/// One uploader at work. Beside it, others may ask how much is durable, or take the upload over; all of them take turns.
/// </summary>
internal sealed class S3Upload : IFileUpload
{
    /// <summary>How long who asks waits for its turn.</summary>
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);

    private readonly S3FileStore _store;
    private readonly FileUploadRequest _request;
    private readonly string _checkpointKey;
    private readonly string _id;
    private readonly string _writer = S3FileStore.NewId();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SemaphoreSlim _saving = new(1);
    private readonly S3Parts _parts;
    private S3Checkpoints.Saved? _saved;
    private long _promised;
    private volatile bool _isSuperseded;
    private volatile bool _isDetached;
    private volatile bool _isDone;

    /// <param name="store">Its store.</param>
    /// <param name="request">What the uploader said.</param>
    /// <param name="begin">What there is: an empty checkpoint for a new upload.</param>
    /// <param name="saved">The same in the bucket; null where it is not.</param>
    /// <param name="promised">What the totals were told to expect.</param>
    /// <exception cref="FileStoreException">The spool cannot be made.</exception>
    public S3Upload(S3FileStore store, FileUploadRequest request, S3Checkpoint begin, S3Checkpoints.Saved? saved, long promised)
    {
        (_store, _request, _saved, _promised, _id) = (store, request, saved, promised, begin.Id);
        _checkpointKey = S3Files.CheckpointOf(request.Name);
        var inFlight = store.Options.PartsInFlight;
        _parts = new(store.Bucket, store.Threads, S3Spool.Create(store.SpoolPath, begin.PartBytes, inFlight + 1), store.Files.KeyOf(request.Name), begin, inFlight, async () => await SaveAsync(hasTail: false, _writer));
    }

    public int BestAppendBytes => 0;

    /// <summary>The multipart upload that it has, which is not to be taken for an abandoned one.</summary>
    public string? UploadId => _parts.UploadId;

    /// <summary>Bytes that came.</summary>
    public long Length => _parts.Length;

    /// <summary>Takes up what is there, and lets every other process know.</summary>
    /// <exception cref="FileStoreException"><c>superseded</c>: another was quicker.</exception>
    public async Task ResumeAsync(IEnumerable<string> etags, Stream tail, int count)
    {
        await _parts.ResumeAsync(etags, tail, count);
        await SaveAsync(hasTail: true, _writer);
        if (_isDetached || _isSuperseded) throw Superseded();
    }

    public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes)
    {
        await _turn.WaitAsync();
        try
        {
            if (_isSuperseded) throw Superseded();
            // A peer may send more than it announced.
            var promised = Math.Min(_promised, bytes.Length);
            _store.Totals.Grow(_parts.Length + bytes.Length, bytes.Length, promised);
            _promised -= promised;
            await _parts.AppendAsync(bytes, () => _store.Bucket.BeginMultipartAsync(_store.Files.KeyOf(_request.Name), S3Files.Headers(_id)));
            if (_isSuperseded) throw Superseded();
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task<StoredFile> CompleteAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (_isSuperseded) throw Superseded();
            var hash = _parts.Hash();
            if (_request.Sha256 is { } expected && hash != expected)
            {
                await DropAsync();
                throw new FileStoreException("checksum", "the bytes that came have another hash, send them again");
            }

            var about = new S3About(_parts.Length, hash, _store.Now(), _request.Endpoint, _request.Remote);
            // Several requests: nobody takes it over in the middle.
            if (_parts.UploadId is not null) await _parts.FinishAsync();
            if (_isSuperseded) throw Superseded();
            await _store.Publisher.PublishAsync(_request, _id, _parts, about);
            Finish();
            // What it had is of no use now; where this fails, the age takes it away.
            if (_saved is not null && !_isDetached) await _store.Publisher.TryDeleteAsync(_checkpointKey);
            return about.ToFile(_request.Name);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task AbortAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (!_isDone) await DropAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (!_isDone) await LeaveAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>How much is durable, after what can be made so without waiting for parts was made so.</summary>
    public async Task<long> DurableAsync()
    {
        if (!await _turn.WaitAsync(Turn)) return _saved?.Checkpoint.Length ?? 0;
        try
        {
            if (!_isDone && _parts.IsSettled && _parts.Length > (_saved?.Checkpoint.Length ?? 0)) await SaveAsync(hasTail: true, _writer);
            return _isDetached ? 0 : _saved?.Checkpoint.Length ?? 0;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Another goes on with what it has; its own uploader is told with the next bytes.</summary>
    public async Task HandOverAsync()
    {
        _isSuperseded = true;
        await _turn.WaitAsync();
        try
        {
            if (!_isDone) await LeaveAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>A newer upload of the name is the one to resume: this one goes on without a checkpoint.</summary>
    public async Task DetachAsync()
    {
        _isDetached = true;
        // One that is being saved would come back.
        await _saving.WaitAsync();
        _saving.Release();
    }

    /// <summary>It did not come to be: nothing is saved.</summary>
    public void Forsake() => Finish();

    private async Task LeaveAsync()
    {
        try
        {
            await _parts.SettleAsync();
            if (_isDetached || _parts.Length == 0)
            {
                await DropAsync();
                return;
            }

            // Where a part is missing, what was saved before is what is left, and its writer stays in it.
            if (_parts.IsSettled) await SaveAsync(hasTail: true, writer: null);
            else if (_saved is null) await DropAsync();
        }
        catch (FileStoreException failure)
        {
            // Then what was saved before is left; the uploader was told, or is gone.
            _store.Publisher.Left(failure);
        }
        finally
        {
            Finish();
        }
    }

    private async Task DropAsync()
    {
        try
        {
            await _parts.SettleAsync();
            if (_parts.UploadId is { } uploadId) await _store.Bucket.AbortMultipartAsync(_store.Files.KeyOf(_request.Name), uploadId);
            if (_saved is not null && !_isDetached && !_isSuperseded) await _store.Bucket.DeleteAsync(_checkpointKey);
        }
        catch (FileStoreException failure)
        {
            // The age takes it away.
            _store.Publisher.Left(failure);
        }
        finally
        {
            if (!_isDone) _store.Totals.Dropped(_parts.Length);
            Finish();
        }
    }

    private void Finish()
    {
        if (_isDone) return;
        _isDone = true;
        _store.Totals.Leave(_promised);
        _store.Forget(_request.Name, this);
        _parts.Dispose();
    }

    private async Task SaveAsync(bool hasTail, string? writer)
    {
        await _saving.WaitAsync();
        try
        {
            if (_isDetached) return;
            var checkpoint = _parts.Durable with { Tail = hasTail ? _parts.Tail : 0, Writer = writer };
            // Parts that arrive together are one checkpoint; and none goes back.
            if (checkpoint == _saved?.Checkpoint || (!hasTail && checkpoint.Length <= _saved?.Checkpoint.Length)) return;
            var saved = await _store.Checkpoints.SaveAsync(_checkpointKey, checkpoint, hasTail ? _parts.ReadTail(checkpoint.ToLine()) : new MemoryStream(checkpoint.ToLine()), _saved);
            if (saved is not null) _saved = saved;
            else await LostAsync();
        }
        finally
        {
            _saving.Release();
        }
    }

    /// <summary>Another process has the checkpoint: it goes on with this upload, or began a newer one.</summary>
    private async Task LostAsync()
    {
        var there = await _store.Checkpoints.FindAsync(_checkpointKey, CancellationToken.None);
        if (there?.Checkpoint.Id == _id) _isSuperseded = true;
        else _isDetached = true;
    }

    private static FileStoreException Superseded() => new("superseded", "another connection goes on with this upload");
}

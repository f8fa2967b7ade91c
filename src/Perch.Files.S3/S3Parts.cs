using System.Buffers;
using Perch.Files.Disk;

namespace Perch.Files.S3;

/// <summary>
/// The bytes of one upload on their way to S3: hashed as they come, gathered in the spool, and sent in parts, several at a time. What is
/// no more than one part stays in the spool to its end.
/// </summary>
/// <remarks>Its owner calls one member at a time; parts end by themselves.</remarks>
internal sealed class S3Parts : IDisposable
{
    /// <summary>S3's own limit.</summary>
    public const int MaxParts = 10_000;

    private const int ReadBytes = 64 * 1024;

    private readonly S3Bucket _bucket;
    private readonly S3Spool _spool;
    private readonly DiskThreads _threads;
    private readonly string _key;
    private readonly Func<Task> _partIsThere;
    private readonly AppendJob _append = new();
    private readonly Lock _lock = new();

    /// <summary>The sending of the parts whose slots are not used again yet, and why it failed.</summary>
    private readonly Task<FileStoreException?>[] _sending;

    /// <summary>The hash behind each of them.</summary>
    private readonly byte[][] _states;

    /// <summary>Of every part that was begun; null while it is on its way.</summary>
    private readonly List<string?> _etags = [];
    private string? _last;
    private ResumableSha256 _hash = new();
    private S3Checkpoint _durable;

    /// <param name="bucket">Where to.</param>
    /// <param name="threads">For the spool and the hash.</param>
    /// <param name="spool">With one slot more than parts may be on their way. Owned.</param>
    /// <param name="key">Of the file.</param>
    /// <param name="begin">What there is: an empty checkpoint for a new upload.</param>
    /// <param name="inFlight">Most parts on their way.</param>
    /// <param name="partIsThere">Called when more is durable; the part counts as on its way until it ends. What it throws fails the upload.</param>
    public S3Parts(S3Bucket bucket, DiskThreads threads, S3Spool spool, string key, S3Checkpoint begin, int inFlight, Func<Task> partIsThere)
    {
        (_bucket, _threads, _spool, _key, _partIsThere) = (bucket, threads, spool, key, partIsThere);
        (_sending, _states) = (new Task<FileStoreException?>[inFlight + 1], new byte[inFlight + 1][]);
        Array.Fill(_sending, Task.FromResult<FileStoreException?>(null));
        (_durable, UploadId) = (begin with { Tail = 0 }, begin.UploadId);
    }

    public string? UploadId { get; private set; }

    /// <summary>Bytes that were hashed.</summary>
    public long Length => ((long)_etags.Count * _spool.SlotBytes) + Tail;

    /// <summary>Bytes that are in no part yet; at most one part's.</summary>
    public int Tail { get; private set; }

    /// <summary>Whether every part that was begun is there.</summary>
    public bool IsSettled
    {
        get
        {
            lock (_lock) return _durable.Parts == _etags.Count;
        }
    }

    /// <summary>What is durable, without the tail.</summary>
    public S3Checkpoint Durable
    {
        get
        {
            lock (_lock) return _durable;
        }
    }

    /// <summary>The ETags of all parts, in their order; it is finished.</summary>
    public IEnumerable<string> ETags => _last is null ? _etags.Select(etag => etag!) : _etags.Select(etag => etag!).Append(_last);

    /// <summary>The hash of what came, in lower-case digits.</summary>
    public string Hash() => _hash.Hash();

    /// <summary>Takes up the parts that are there, and the tail.</summary>
    /// <param name="etags">Of the parts.</param>
    /// <param name="tail">A stream with at least so many bytes.</param>
    /// <param name="count">How many of them to take.</param>
    public async Task ResumeAsync(IEnumerable<string> etags, Stream tail, int count)
    {
        _etags.AddRange(etags);
        _hash = new(Convert.FromHexString(_durable.State), (long)_durable.Parts * _spool.SlotBytes);
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            while (Tail < count)
            {
                var read = await tail.ReadAsync(buffer.AsMemory(0, Math.Min(ReadBytes, count - Tail)));
                if (read == 0) throw new EndOfStreamException("A checkpoint is shorter than it says.");
                await FillAsync(new(buffer, 0, read));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Ends when the bytes are hashed and in the spool; waits where all slots are on their way.</summary>
    /// <exception cref="FileStoreException">A part could not be sent, or there would be too many.</exception>
    public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes, Func<Task<string>> beginMultipart)
    {
        while (!bytes.IsEmpty)
        {
            if (Tail == _spool.SlotBytes) await SendTailAsync(beginMultipart);
            var more = bytes.Slice(0, Math.Min(bytes.Length, _spool.SlotBytes - Tail));
            await FillAsync(more);
            bytes = bytes.Slice(more.Length);
        }
    }

    /// <summary>Sends what is left as the last part, and waits for all.</summary>
    /// <exception cref="FileStoreException">A part could not be sent.</exception>
    public async Task FinishAsync()
    {
        // It may have any size, so it is not one of those that can be gone on from: its bytes stay the tail.
        if (Tail > 0) _last = await _bucket.PutPartAsync(_key, UploadId!, _etags.Count + 1, ReadTail());
        await SettleAsync();
        Throw();
    }

    /// <summary>Waits until no part is on its way, however it ended.</summary>
    public async Task SettleAsync()
    {
        foreach (var sending in _sending) await sending;
    }

    /// <summary>What is in no part, behind other bytes.</summary>
    public Stream ReadTail(byte[]? head = null) => _spool.Read(_etags.Count, Tail, head);

    public void Dispose() => _spool.Dispose();

    private async ValueTask FillAsync(ReadOnlySequence<byte> bytes)
    {
        _append.Set(this, bytes);
        await _append.StartAsync(_threads);
    }

    private async ValueTask SendTailAsync(Func<Task<string>> beginMultipart)
    {
        var number = _etags.Count;
        if (number >= MaxParts) throw new FileStoreException("quota", $"a file has at most {(long)MaxParts * _spool.SlotBytes} bytes unless its length is told before");
        UploadId ??= await beginMultipart();
        lock (_lock)
        {
            _durable = _durable with { UploadId = UploadId };
            _etags.Add(null);
        }

        var slot = number % _sending.Length;
        _states[slot] = _hash.State();
        _sending[slot] = SendAsync(number);
        Tail = 0;
        // The part that has the next slot may still be on its way.
        await _sending[(number + 1) % _sending.Length];
        Throw();
    }

    /// <returns>Why it could not be sent, or null.</returns>
    private async Task<FileStoreException?> SendAsync(int number)
    {
        // Whoever appends goes on meanwhile.
        await Task.Yield();
        try
        {
            Arrived(number, await _bucket.PutPartAsync(_key, UploadId!, number + 1, _spool.Read(number, _spool.SlotBytes)));
            await _partIsThere();
            return null;
        }
        catch (FileStoreException exception)
        {
            return exception;
        }
        catch (Exception exception)
        {
            return FileStoreException.Unavailable(exception.Message, exception);
        }
    }

    private void Arrived(int number, string etag)
    {
        lock (_lock)
        {
            _etags[number] = etag;
            while (_durable.Parts < _etags.Count && _etags[_durable.Parts] is { } next)
            {
                var state = Convert.ToHexStringLower(_states[_durable.Parts % _states.Length]);
                _durable = _durable with { Parts = _durable.Parts + 1, State = state, Chain = S3Checkpoint.Next(_durable.Chain, next) };
            }
        }
    }

    private void Throw()
    {
        foreach (var sending in _sending)
        {
            if (sending is { IsCompletedSuccessfully: true, Result: { } failure }) throw failure;
        }
    }

    private sealed class AppendJob : DiskJob
    {
        private S3Parts? _parts;
        private ReadOnlySequence<byte> _bytes;

        public void Set(S3Parts parts, ReadOnlySequence<byte> bytes) => (_parts, _bytes) = (parts, bytes);

        protected override int Execute()
        {
            try
            {
                foreach (var segment in _bytes)
                {
                    _parts!._spool.Write(_parts._etags.Count, _parts.Tail, segment.Span);
                    _parts._hash.Append(segment.Span);
                    _parts.Tail += segment.Length;
                }

                return 0;
            }
            finally
            {
                _bytes = default;
            }
        }
    }
}

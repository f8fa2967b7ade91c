using System.Buffers;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Perch.Diagnostics;

namespace Perch.Records;

/// <summary>
/// What one read brought on one connection, or the part of it that fills a batch, on its way to the store and back as an
/// acknowledgement. A connection fills it, queues it, awaits it, and fills it again; between <see cref="ResultAsync"/> being
/// taken and its end the bytes are the store's. It is completed once, by the writer or by the time limit; one whose time
/// ran out is not used again.
/// </summary>
internal class RecordBatch(string endpoint, string remote) : IValueTaskSource<RecordStoreException?>
{
    /// <summary>
    /// A read that brought more is several batches. A peer that sends empty lines pays a byte for each; its entry here and
    /// its answer are many.
    /// </summary>
    public const int MostRecords = 4096;

    private const int FirstEntries = 16;
    private const int FirstBytes = 4096;
    private const int MostKept = 256 * 1024;

    /// <summary>A message of a quarter fits behind that, and the memory is kept for the next.</summary>
    private const int FullBytes = MostKept / 4 * 3;

    private ManualResetValueTaskSourceCore<RecordStoreException?> _result;
    private Entry[] _entries = new Entry[FirstEntries];
    private byte[] _bytes = new byte[FirstBytes];
    private int _length;
    private int _completed;
    private DateTime _receivedAt;

    public string Endpoint { get; } = endpoint;

    public string Remote { get; } = remote;

    /// <summary>The peer of one record, where a batch has those of several.</summary>
    public virtual string RemoteOf(int index) => Remote;

    public DateTimeOffset ReceivedAt => new(_receivedAt);

    /// <summary>The span of the connection that fills the batch; null without one.</summary>
    public Activity? Span { get; } = PerchTracing.ConnectionSpan;

    /// <summary>When it was queued, in ticks of the time provider.</summary>
    public long QueuedAt { get; set; }

    /// <summary><see cref="Held"/> when it was queued.</summary>
    public int QueuedBytes { get; set; }

    public int Count { get; private set; }

    public int Bytes => _length;

    /// <summary>Bytes of memory that it keeps, filled or not.</summary>
    public int Held => _bytes.Length + (_entries.Length * Unsafe.SizeOf<Entry>());

    /// <summary>What follows goes into the next.</summary>
    public bool IsFull => Count >= MostRecords || _length >= FullBytes;

    public bool IsCompleted => Volatile.Read(ref _completed) == 1;

    /// <summary>Ends when the records are durable, or are not stored: then with the reason.</summary>
    public ValueTask<RecordStoreException?> ResultAsync() => new(this, _result.Version);

    public void Clear(DateTimeOffset receivedAt)
    {
        (Count, _length, _completed, _receivedAt) = (0, 0, 0, receivedAt.UtcDateTime);
        _result.Reset();
        // One large message does not keep its memory for the connection's life.
        if (_bytes.Length > MostKept) _bytes = new byte[FirstBytes];
    }

    /// <summary>Gives back the memory that bursts have made it take. It is clear or about to be cleared.</summary>
    public void Shrink()
    {
        if (_bytes.Length > FirstBytes) _bytes = new byte[FirstBytes];
        if (_entries.Length > FirstEntries) _entries = new Entry[FirstEntries];
    }

    /// <summary>Makes room for bytes, so that they do not make it grow several times.</summary>
    /// <param name="bytes">Bytes; no more than fill a batch are reserved.</param>
    public void Expect(long bytes) => Reserve((int)Math.Min(bytes, FullBytes - _length));

    /// <param name="message">Copied.</param>
    /// <param name="keyed">Whether a key before the message is taken from it.</param>
    public void Add(in ReadOnlySequence<byte> message, bool keyed)
    {
        var length = (int)message.Length;
        Reserve(length);
        if (Count == _entries.Length) Array.Resize(ref _entries, Count * 2);
        message.CopyTo(_bytes.AsSpan(_length));
        _entries[Count++] = new(_length, length, keyed ? RecordKey.Parse(_bytes.AsSpan(_length, length)) : default);
        _length += length;
    }

    /// <remarks>The memory is pinned like the blocks of connections: what they free can be used here, and the other way round.</remarks>
    private void Reserve(int bytes)
    {
        if (_bytes.Length - _length >= bytes)
            return;
        var size = Math.Min(Array.MaxLength, Math.Max(_length + (long)bytes, Math.Min(_length * 2L, MostKept)));
        var grown = GC.AllocateUninitializedArray<byte>((int)size, pinned: true);
        _bytes.AsSpan(0, _length).CopyTo(grown);
        _bytes = grown;
    }

    /// <summary>The message without its key.</summary>
    public ReadOnlyMemory<byte> Message(int index)
    {
        var entry = _entries[index];
        return _bytes.AsMemory(entry.Start + entry.Key.Length, entry.Length - entry.Key.Length);
    }

    /// <summary>The sender's name, or empty where the message has no key.</summary>
    public ReadOnlySpan<byte> Sender(int index) => _bytes.AsSpan(_entries[index].Start + Math.Min(1, _entries[index].Key.Length), _entries[index].Key.SenderLength);

    public long Sequence(int index) => _entries[index].Key.Sequence;

    public long Id(int index) => _entries[index].Id;

    public void SetId(int index, long id) => _entries[index].Id = id;

    /// <param name="failure">Null where it is durable.</param>
    /// <param name="here">Whether the answer is written on this thread: quicker for one, in the way of the next commit for many.</param>
    /// <returns>False where it was completed before.</returns>
    public bool TryComplete(RecordStoreException? failure, bool here = false)
    {
        if (Interlocked.Exchange(ref _completed, 1) == 1) return false;
        _result.RunContinuationsAsynchronously = !here;
        _result.SetResult(failure);
        return true;
    }

    RecordStoreException? IValueTaskSource<RecordStoreException?>.GetResult(short token) => _result.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<RecordStoreException?>.GetStatus(short token) => _result.GetStatus(token);

    void IValueTaskSource<RecordStoreException?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _result.OnCompleted(continuation, state, token, flags);

    [StructLayout(LayoutKind.Auto)]
    private struct Entry(int start, int length, RecordKey key)
    {
        public readonly int Start = start;
        public readonly int Length = length;
        public readonly RecordKey Key = key;
        public long Id;
    }
}

using System.Buffers;

namespace Perch.Files;

/// <summary>
/// One upload on its way. One member is called at a time, but for appends. Disposed before it is completed or aborted it stays as an
/// unfinished upload that can be resumed, as after a crash.
/// </summary>
internal interface IFileUpload : IAsyncDisposable
{
    /// <summary>
    /// How many appends may be under way at once, where <see cref="BestAppendBytes"/> is not 0: one is hashed while another is
    /// written, and one is ready.
    /// </summary>
    const int AppendsAtOnce = 3;

    /// <summary>
    /// How many bytes are best appended at once, while so many more are received: fewer where many uploads share the memory, and
    /// 0 where what comes is to be stored before more is received. It changes.
    /// </summary>
    int BestAppendBytes { get; }

    /// <summary>
    /// Stores the bytes behind those before. Ends when they are written and hashed, not yet durable. Where one fails, those behind it do.
    /// Whoever waits for it may go on on a thread of the store, which is not to be held.
    /// </summary>
    /// <param name="bytes">Used until it ends. A store may keep a bounded copy.</param>
    /// <exception cref="FileStoreException"><c>full</c>, <c>quota</c>, <c>superseded</c>, <c>unavailable</c>; what was written before stays.</exception>
    ValueTask AppendAsync(ReadOnlySequence<byte> bytes);

    /// <summary>Makes the file durable, then visible.</summary>
    /// <exception cref="FileStoreException">
    /// <c>checksum</c>: the hash is another, and the upload is dropped. <c>conflict</c>, <c>exists</c>, <c>precondition</c>, <c>unsupported</c>, <c>quota</c>, <c>superseded</c>, <c>full</c>, <c>unavailable</c>.
    /// </exception>
    Task<StoredFile> CompleteAsync();

    /// <summary>Drops it: nothing stays.</summary>
    Task AbortAsync();
}

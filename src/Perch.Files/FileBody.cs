using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Perch.Wire;

namespace Perch.Files;

/// <summary>The bytes of an upload as they come: exactly so many, whatever becomes of them, or all until the stream's end.</summary>
/// <param name="input">
/// Where they come from. Its <c>ReadAtLeastAsync</c> is to count what is held, as those of connections do; that of a
/// <see cref="Pipe"/> itself counts only what was not yet examined.
/// </param>
/// <param name="length">How many; null for all until the end.</param>
/// <param name="isBeating">
/// Whether <see cref="OnHeartbeat"/> is called: then a read waits until as much has come as is best stored at once, which wakes
/// nobody before.
/// </param>
internal sealed class FileBody(PipeReader input, long? length, bool isBeating)
{
    /// <summary>Bytes that <see cref="WatchAsync"/> lets wait in the stream.</summary>
    private const int WatchedBytes = 64 * 1024;

    private readonly Queue<(Task Stored, long Bytes)> _storing = new(IFileUpload.AppendsAtOnce);

    /// <summary>What is being stored: it stays with the reader, before what comes next.</summary>
    private long _held;
    private volatile bool _isWaiting;
    private int _beats;

    /// <summary>How many have not been taken from the stream.</summary>
    public long Left { get; private set; } = length ?? long.MaxValue;

    /// <summary>Gives them to the upload. The next ones are received while it stores those before, where it has memory for them.</summary>
    /// <exception cref="ProtocolException"><c>truncated</c>: the stream ended before the length. What came is in the upload.</exception>
    public async ValueTask ReceiveAsync(IFileUpload upload, FileMetrics.FileTransfer transfer)
    {
        // Behind what a read has handed out and is not done with.
        SequencePosition? end = null;
        try
        {
            for (var isLast = Left == 0; !isLast;)
            {
                var best = (int)Math.Min(upload.BestAppendBytes, Left);
                var read = isBeating && best > 0 ? await ReadPartAsync(best) : await input.ReadAsync();
                var fresh = read.Buffer.Slice(_held, Math.Min(best == 0 ? Left : best, read.Buffer.Length - _held));
                end = fresh.End;
                Left -= fresh.Length;
                isLast = Left == 0 || (read.IsCompleted && _held + fresh.Length == read.Buffer.Length);
                var stored = await SettleAsync(transfer, fresh.Length == best ? IFileUpload.AppendsAtOnce - 1 : 0);
                if (!fresh.IsEmpty) Begin(StoreAsync(upload, fresh), fresh.Length);
                if (isLast || best == 0) stored += await SettleAsync(transfer, 0);
                end = null;
                input.AdvanceTo(read.Buffer.GetPosition(stored), fresh.End);
            }
        }
        catch
        {
            // Its bytes are the reader's, and whoever is told of this may end that.
            await AbandonAsync(transfer);
            if (end is { } all) input.AdvanceTo(all);
            throw;
        }

        if (length is not null && Left > 0) throw Truncated();
    }

    /// <summary>
    /// Reads ahead while an upload begins, and cancels the begin if the stream ends before the announced length: nothing would follow. The
    /// bytes stay in the stream; beyond <see cref="WatchedBytes"/> no more are read.
    /// </summary>
    public async ValueTask WatchAsync(Task begin, CancellationTokenSource gone)
    {
        if (begin.IsCompleted) return;
        _ = begin.ContinueWith(static (_, input) => ((PipeReader)input!).CancelPendingRead(), input, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        for (var isWatching = true; isWatching && !begin.IsCompleted;)
        {
            var read = await input.ReadAsync();
            var held = read.Buffer.Length;
            if (read.IsCompleted && held < Left) await gone.CancelAsync();
            isWatching = !read.IsCompleted && held < Math.Min(Left, WatchedBytes);
            // The next reader is to have them at once.
            input.AdvanceTo(read.Buffer.Start, isWatching && !begin.IsCompleted ? read.Buffer.End : read.Buffer.Start);
        }
    }

    /// <summary>The error for a stream that ended early.</summary>
    public ProtocolException Truncated() => Truncated("; what came can be resumed");

    /// <summary>Passes over what is left.</summary>
    /// <exception cref="ProtocolException"><c>truncated</c>.</exception>
    public async ValueTask SkipAsync()
    {
        while (Left > 0)
        {
            var read = await input.ReadAsync();
            var bytes = read.Buffer.Slice(0, Math.Min(Left, read.Buffer.Length));
            Left -= bytes.Length;
            input.AdvanceTo(bytes.End);
            if (read.IsCompleted && Left > 0) throw Truncated("");
        }
    }

    /// <summary>Called once a second: what has come of a part does not wait for the rest of it for longer than two.</summary>
    public void OnHeartbeat()
    {
        if (_isWaiting && Interlocked.Increment(ref _beats) >= 2) input.CancelPendingRead();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadPartAsync(int best)
    {
        Volatile.Write(ref _beats, 0);
        _isWaiting = true;
        try
        {
            return await input.ReadAtLeastAsync((int)_held + best);
        }
        finally
        {
            _isWaiting = false;
        }
    }

    private void Begin(Task storing, long bytes)
    {
        _storing.Enqueue((storing, bytes));
        _held += bytes;
    }

    private async Task StoreAsync(IFileUpload upload, ReadOnlySequence<byte> bytes)
    {
        try
        {
            await upload.AppendAsync(bytes);
        }
        catch
        {
            // The peer is told at once: it may have sent all, and wait for the answer.
            input.CancelPendingRead();
            // What is done about it is nothing for the thread of a store.
            await Task.Yield();
            throw;
        }
    }

    /// <summary>Waits until no more than so many parts are being stored.</summary>
    /// <returns>The bytes of those that have been.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> SettleAsync(FileMetrics.FileTransfer transfer, int most)
    {
        var settled = 0L;
        while (_storing.Count > most)
        {
            var (stored, bytes) = _storing.Peek();
            await stored;
            _storing.Dequeue();
            transfer.Add(bytes);
            _held -= bytes;
            settled += bytes;
        }

        return settled;
    }

    /// <summary>Waits for all that is being stored, whatever becomes of it.</summary>
    private async Task AbandonAsync(FileMetrics.FileTransfer transfer)
    {
        while (_storing.TryDequeue(out var part))
        {
            await part.Stored.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (part.Stored.IsCompletedSuccessfully) transfer.Add(part.Bytes);
        }

        _held = 0;
    }

    private ProtocolException Truncated(string more) => new("truncated", $"The stream ended {Left} bytes before the announced length{more}.");
}

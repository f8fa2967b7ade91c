using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace Perch.Connections;

/// <summary>A writer that counts what it is given, and notes when a flush waits for the peer to read.</summary>
internal sealed class CountingPipeWriter(PipeWriter inner, CountedProgress progress) : PipeWriter
{
    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public override void Advance(int bytes)
    {
        progress.BytesSent += bytes;
        inner.Advance(bytes);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        Note(inner.FlushAsync(cancellationToken));

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        progress.BytesSent += source.Length;
        return Note(inner.WriteAsync(source, cancellationToken));
    }

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    private ValueTask<FlushResult> Note(ValueTask<FlushResult> flush) =>
#pragma warning disable VSTHRD103 // It has completed.
        flush.IsCompletedSuccessfully ? new(Note(flush.Result)) : WaitAsync(flush);
#pragma warning restore VSTHRD103

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
    {
        progress.BeginFlushWait();
        try
        {
            return Note(await flush);
        }
        finally
        {
            progress.EndFlushWait();
        }
    }

    private FlushResult Note(FlushResult result)
    {
        if (result.IsCompleted) progress.HasPeerLeft = true;
        return result;
    }
}

using System.IO.Pipelines;

namespace Perch.Records.Tests;

/// <summary>Counts the flushes of a session, and what they flush; fails them when it is told to.</summary>
internal sealed class FlushCounter(PipeWriter inner) : PipeWriter
{
    private volatile int _flushes;
    private long _mostUnflushed;
    private volatile Exception? _failure;

    public int Flushes => _flushes;

    /// <summary>The most bytes that one of them had to send.</summary>
    public long MostUnflushed => Interlocked.Read(ref _mostUnflushed);

    public Exception? Failure { get => _failure; set => _failure = value; }

    public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => inner.UnflushedBytes;

    public override void Advance(int bytes) => inner.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _flushes);
        Interlocked.Exchange(ref _mostUnflushed, Math.Max(_mostUnflushed, inner.UnflushedBytes));
        return Failure is { } failure ? throw failure : inner.FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);
}

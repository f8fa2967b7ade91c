using System.IO.Pipelines;

namespace Perch.Server.Admin;

/// <summary>The body of a request that may not be silent for longer than a limit. Its rate does not matter, as over TCP.</summary>
/// <remarks>
/// A read is ended by <see cref="CancelPendingRead"/>: after a cancelled token Kestrel's reader counts as being read, and cannot be
/// drained.
/// </remarks>
internal sealed class IdleLimitedReader : PipeReader, IDisposable
{
    private readonly PipeReader _body;
    private readonly TimeSpan _limit;
    private readonly ITimer _timer;
    private volatile bool _isSilent;

    /// <param name="body">The body.</param>
    /// <param name="limit">Longest wait for a byte; zero for no limit.</param>
    /// <param name="time">Clock of the wait.</param>
    public IdleLimitedReader(PipeReader body, TimeSpan limit, TimeProvider time)
    {
        (_body, _limit) = (body, limit > TimeSpan.Zero ? limit : Timeout.InfiniteTimeSpan);
        _timer = time.CreateTimer(
            static reader => ((IdleLimitedReader)reader!).OnSilence(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <exception cref="BadHttpRequestException">408: no byte came within the limit.</exception>
    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        // A timer that fired late, after the read before, only makes this one return without a byte.
        _isSilent = false;
        _timer.Change(_limit, Timeout.InfiniteTimeSpan);
        var read = await _body.ReadAsync(cancellationToken);
        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        if (!read.IsCanceled || !_isSilent)
            return read;
        _body.AdvanceTo(read.Buffer.Start);
        throw new BadHttpRequestException(
            $"No byte of the body came for {_limit.TotalSeconds:0.#} s. The bytes before are kept; HEAD has their number in Upload-Offset.",
            StatusCodes.Status408RequestTimeout);
    }

    public override bool TryRead(out ReadResult result) => _body.TryRead(out result);

    public override void AdvanceTo(SequencePosition consumed) => _body.AdvanceTo(consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => _body.AdvanceTo(consumed, examined);

    public override void CancelPendingRead() => _body.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _body.Complete(exception);

    public void Dispose() => _timer.Dispose();

    private void OnSilence()
    {
        _isSilent = true;
        _body.CancelPendingRead();
    }
}

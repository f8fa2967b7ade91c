using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using Perch.Linux;
using Perch.Transport.Buffers;
using Perch.Transport.Loops;

namespace Perch.Transport.Connections;

/// <summary>
/// What the socket did not take, which is the loop's to send, and the flush that waits for it. Few connections ever have one,
/// so the writer makes it when it is first needed, and keeps it.
/// </summary>
/// <remarks>
/// Who cancels, fails the connection or hears of an edge may find none, while the writer makes one: they say so (a flag, the
/// connection's error, the socket itself) before they look for it, and here that is looked at after it is there for them to find.
/// </remarks>
internal sealed class WriteBacklog(DirectConnection connection) : IValueTaskSource<FlushResult>
{
    private readonly Lock _lock = new();
    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = connection.IsOnThreadPool };
    private CancellationTokenRegistration _registration;

    /// <summary>Flushed, and under the lock while <see cref="_isArmed"/>.</summary>
    private BlockList _pending;
    private volatile bool _isArmed;
    private volatile bool _isTokenCancelled;
    private bool _isWaiting;
    private bool _endsWhenSent;
    private int _waits;

    /// <summary>The loop sends, or tells, when the socket takes bytes again; what is written goes behind what it has.</summary>
    public bool IsArmed => _isArmed;

    /// <summary>Bytes that its blocks occupy.</summary>
    public long BytesOccupied => _pending.Occupied;

    /// <inheritdoc cref="DirectWriter.Waits"/>
    public int Waits => (_waits << 1) | (_isWaiting ? 1 : 0);

    private DirectWriter Writer => connection.Writer;

    private bool IsGone => connection.Error is not null;

    /// <summary>Hands what is staged to the loop, behind what it has.</summary>
    /// <param name="staged">Empty afterwards.</param>
    /// <param name="cancellationToken">Of the flush that waits for it; null where it is the end, and nobody waits.</param>
    /// <returns>False where nothing is left to wait for.</returns>
    public bool TryJoin(ref BlockList staged, CancellationToken? cancellationToken)
    {
        lock (_lock)
        {
            if (_isWaiting && cancellationToken is not null) throw new InvalidOperationException("A flush is already under way.");
            _pending.Append(ref staged);
            if (IsGone)
            {
                connection.Loop.Blocks.ReturnAll(_pending.Take());
                _isArmed = false;
                return false;
            }

            _isArmed = true;
            // The socket may have taken bytes, and said so, before it was armed; from here on the loop hears it.
            Thread.MemoryBarrier();
            if (Writer.Send(ref _pending) != Sent.Part)
            {
                _isArmed = false;
                // The end, of another thread, has sent what a flush waits for: the loop will hear of nothing any more.
                if (_isWaiting) Post();
                _isWaiting = false;
                return false;
            }

            _endsWhenSent = cancellationToken is null;
            if (cancellationToken is not { } token) return true;
            if (Writer.IsCancelRequested) return false;
            Prepare();
            Register(token);
            return true;
        }
    }

    /// <summary>The flush that <see cref="TryJoin"/> began.</summary>
    public ValueTask<FlushResult> WaitAsync() => new(this, _source.Version);

    /// <inheritdoc cref="DirectWriter.WaitUntilWritable"/>
    public ValueTask<FlushResult>? WaitUntilWritable(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (IsGone) return null;
            Prepare();
            _isArmed = true;
            // It may have been told of before it was waited for.
            if (!connection.Use.TryBegin(out var descriptor) || IsWritableNow(descriptor))
            {
                _isArmed = _isWaiting = false;
                return null;
            }

            Register(cancellationToken);
            return new(this, _source.Version);
        }
    }

    /// <inheritdoc cref="DirectWriter.YieldAsync"/>
    public ValueTask<FlushResult> YieldAsync()
    {
        lock (_lock)
        {
            Prepare();
            // A cancellation finds no wait: it is taken when this goes on.
            _isWaiting = false;
        }

        Post();
        return new(this, _source.Version);
    }

    /// <summary>Ends a flush that waits, and has it told of a cancellation that was requested; the loop goes on to send.</summary>
    public void CancelWait()
    {
        lock (_lock)
        {
            // One that was told already waits no more: what waits now is the next.
            if (!_isWaiting || !Writer.IsCancelRequested) return;
            _isWaiting = false;
        }

        Post();
    }

    /// <summary>Drops what is not sent, and ends a flush that waits.</summary>
    public void Drop()
    {
        lock (_lock)
        {
            if (_isArmed) connection.Loop.Blocks.ReturnAll(_pending.Take());
            _isArmed = false;
            if (!_isWaiting) return;
            _isWaiting = false;
        }

        Post();
    }

    /// <summary>The socket takes bytes again. On the loop's thread.</summary>
    public void OnWritable()
    {
        if (!_isArmed) return;
        bool wasWaiting, isEnd;
        lock (_lock)
        {
            if (!_isArmed || Writer.Send(ref _pending) == Sent.Part) return;
            _isArmed = false;
            (wasWaiting, _isWaiting, isEnd) = (_isWaiting, false, _endsWhenSent);
        }

        if (isEnd) connection.OnOutputFinished();
        if (wasWaiting) Continue();
    }

    /// <summary>Ends a flush that was taken from its wait. On the loop's thread.</summary>
    public void Continue()
    {
        if (_isTokenCancelled) _source.SetException(new OperationCanceledException(_registration.Token));
        else _source.SetResult(Writer.TakeCancellation());
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token)
    {
        _registration.Dispose();
        return Writer.Result(_source.GetResult(token));
    }

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    private void Prepare()
    {
        Writer.BeginTurn();
        _source.Reset();
        _isTokenCancelled = false;
        _isWaiting = true;
        _waits++;
    }

    private void Register(CancellationToken cancellationToken) =>
        _registration = cancellationToken.UnsafeRegister(static backlog => ((WriteBacklog)backlog!).CancelByToken(), this);

    private void CancelByToken()
    {
        lock (_lock)
        {
            if (!_isWaiting) return;
            (_isWaiting, _isTokenCancelled) = (false, true);
        }

        Post();
    }

    private bool IsWritableNow(int descriptor)
    {
        var isWritable = Libc.IsWritable(descriptor);
        connection.EndUse();
        return isWritable;
    }

    private void Post() => connection.Loop.Post(connection, LoopWork.Flush);
}

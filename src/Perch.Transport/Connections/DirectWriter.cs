using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Perch.Transport.Buffers;
using Perch.Transport.Loops;
using Perch.Transport.Native;

namespace Perch.Transport.Connections;

/// <summary>
/// The writing side: a flush sends at once, and is done when the system has every byte, so that who awaits it is held back by
/// the peer and nothing grows. What the socket does not take is the loop's to send; a flush that is cancelled does not end that.
/// </summary>
internal sealed class DirectWriter(DirectConnection connection) : PipeWriter, IValueTaskSource<FlushResult>
{
    /// <summary>What it takes of memory, for the cache.</summary>
    public const int ObjectBytes = 192;

    /// <summary>What a connection may send before others have their turn.</summary>
    private const int MaxSendsPerTurn = 64;
    private const int MaxBytesPerTurn = 1024 * 1024;

    private const int MaxVectors = 16;

    private readonly Lock _lock = new();
    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = connection.IsOnThreadPool };
    private CancellationTokenRegistration _registration;

    /// <summary>Written, and the writer's own.</summary>
    private BlockList _staged;

    /// <summary>Flushed, and under the lock while <see cref="_isArmed"/>.</summary>
    private BlockList _pending;
    private int _sends;
    private long _bytes;
    private volatile bool _isArmed;
    private volatile bool _isCancelRequested;
    private bool _isWaiting;
    private int _waits;
    private volatile bool _isTokenCancelled;
    private bool _endsWhenSent;
    private int _isCompleted;

    private enum Sent
    {
        All,
        Part,
        Failed,
    }

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _staged.Length;

    /// <summary>All bytes that the system has taken.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Odd while a flush waits for the peer to read; every wait has a number of its own.</summary>
    public int Waits => (_waits << 1) | (_isWaiting ? 1 : 0);

    /// <summary>A flush was told that nobody reads any more.</summary>
    public bool HasToldPeerLeft { get; private set; }

    /// <summary>Others have theirs before it sends more: <see cref="YieldAsync"/>.</summary>
    public bool HasHadItsTurn => _sends >= MaxSendsPerTurn || _bytes >= MaxBytesPerTurn;

    private bool IsGone => connection.Error is not null;

    public override Memory<byte> GetMemory(int sizeHint = 0) => WithRoom(sizeHint).FreeMemory;

    public override Span<byte> GetSpan(int sizeHint = 0) => WithRoom(sizeHint).FreeSpan;

    public override void Advance(int bytes)
    {
        if (bytes == 0) return;
        if (_staged.Last is not { } last || (uint)bytes > (uint)last.Free) throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "There is no memory of that size to advance.");
        last.End += bytes;
        _staged.Length += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        if (_isArmed) return WaitAsync(cancellationToken);
        switch (SendStaged())
        {
            case Sent.Part:
                return WaitAsync(cancellationToken);
            case Sent.All when HasHadItsTurn:
                return YieldAsync();
            default:
                return new(Result(TakeCancellation()));
        }
    }

    public override void CancelPendingFlush()
    {
        lock (_lock)
        {
            _isCancelRequested = true;
            if (!_isWaiting) return;
            _isWaiting = false;
        }

        connection.Loop.Post(connection, LoopWork.Flush);
    }

    /// <summary>Sends what was written and not flushed, then this side's end. With an error the connection is reset, so that the peer does not take it for whole.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (Interlocked.Exchange(ref _isCompleted, 1) != 0) return;
        if (exception is not null)
        {
            connection.Abort(new Microsoft.AspNetCore.Connections.ConnectionAbortedException("The output was completed with an error.", exception));
        }

        var isLeft = _isArmed || SendStaged() == Sent.Part;
        if (!isLeft || !TryJoin(null)) connection.OnOutputFinished();
    }

    /// <summary>It may send as much as any other again.</summary>
    public void BeginTurn() => (_sends, _bytes) = (0, 0);

    /// <summary>The socket takes bytes again. On the loop's thread.</summary>
    public void OnWritable()
    {
        if (!_isArmed) return;
        bool wasWaiting, isEnd;
        lock (_lock)
        {
            if (!_isArmed || SendPending() == Sent.Part) return;
            _isArmed = false;
            (wasWaiting, _isWaiting, isEnd) = (_isWaiting, false, _endsWhenSent);
        }

        if (isEnd) connection.OnOutputFinished();
        if (wasWaiting) Continue();
    }

    /// <summary>Drops what is not sent, and ends a flush that waits.</summary>
    public void Fail()
    {
        lock (_lock)
        {
            if (_isArmed) connection.Loop.Blocks.ReturnAll(_pending.Take());
            _isArmed = false;
            if (!_isWaiting) return;
            _isWaiting = false;
        }

        connection.Loop.Post(connection, LoopWork.Flush);
    }

    /// <summary>Ends a flush that was taken from its wait. On the loop's thread.</summary>
    public void Continue()
    {
        if (_isTokenCancelled) _source.SetException(new OperationCanceledException(_registration.Token));
        else _source.SetResult(TakeCancellation());
    }

    /// <summary>Waits until the socket takes bytes; for who sends past the writer. No write or flush may be under way.</summary>
    /// <returns>A flush of nothing; null where it takes some now, or is gone.</returns>
    public ValueTask<FlushResult>? WaitUntilWritable(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (IsGone) return null;
            Prepare();
            _isArmed = true;
            // It may have been told of before it was waited for.
            if (!connection.Use.TryBegin() || IsWritableNow())
            {
                _isArmed = _isWaiting = false;
                return null;
            }

            Register(cancellationToken);
            return new(this, _source.Version);
        }
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token)
    {
        _registration.Dispose();
        return Result(_source.GetResult(token));
    }

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    /// <summary>Bytes were sent past the writer.</summary>
    public void CountSent(long bytes)
    {
        _sends++;
        _bytes += bytes;
        BytesSent += bytes;
    }

    /// <summary>Goes on behind what else is ready, on the loop. No write or flush may be under way.</summary>
    /// <returns>A flush of nothing.</returns>
    public ValueTask<FlushResult> YieldAsync()
    {
        lock (_lock)
        {
            Prepare();
            // A cancellation finds no wait: it is taken when this goes on.
            _isWaiting = false;
        }

        connection.Loop.Post(connection, LoopWork.Flush);
        return new(this, _source.Version);
    }

    private bool IsWritableNow()
    {
        var isWritable = Libc.IsWritable(connection.Descriptor);
        connection.EndUse();
        return isWritable;
    }

    private Block WithRoom(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (Volatile.Read(ref _isCompleted) != 0) throw new InvalidOperationException("Writing is not allowed after the writer was completed.");
        if (_staged.Last is { } last && last.Free >= Math.Max(sizeHint, 1)) return last;
        var block = sizeHint > Block.Size ? new Block(sizeHint) : connection.Loop.Blocks.Rent();
        _staged.Append(block);
        return block;
    }

    private FlushResult Result(bool isCancelled)
    {
        var isGone = IsGone;
        if (isGone) HasToldPeerLeft = true;
        return new(isCancelled, isGone);
    }

    private bool TakeCancellation()
    {
        if (!_isCancelRequested) return false;
        _isCancelRequested = false;
        return true;
    }

    private ValueTask<FlushResult> WaitAsync(CancellationToken cancellationToken)
    {
        if (!TryJoin(cancellationToken)) return new(Result(TakeCancellation()));
        return new(this, _source.Version);
    }

    /// <summary>Hands what is staged to the loop, behind what it has.</summary>
    /// <param name="cancellationToken">Of the flush that waits for it; null where it is the end, and nobody waits.</param>
    /// <returns>False where nothing is left to wait for.</returns>
    private bool TryJoin(CancellationToken? cancellationToken)
    {
        lock (_lock)
        {
            if (_isWaiting && cancellationToken is not null) throw new InvalidOperationException("A flush is already under way.");
            _pending.Append(ref _staged);
            if (IsGone)
            {
                connection.Loop.Blocks.ReturnAll(_pending.Take());
                _isArmed = false;
                return false;
            }

            _isArmed = true;
            // The socket may have taken bytes, and said so, before it was armed; from here on the loop hears it.
            Thread.MemoryBarrier();
            if (SendPending() != Sent.Part)
            {
                _isArmed = false;
                // The end, of another thread, has sent what a flush waits for: the loop will hear of nothing any more.
                if (_isWaiting) connection.Loop.Post(connection, LoopWork.Flush);
                _isWaiting = false;
                return false;
            }

            _endsWhenSent = cancellationToken is null;
            if (cancellationToken is not { } token) return true;
            if (_isCancelRequested) return false;
            Prepare();
            Register(token);
            return true;
        }
    }

    private void Prepare()
    {
        BeginTurn();
        _source.Reset();
        _isTokenCancelled = false;
        _isWaiting = true;
        _waits++;
    }

    private void Register(CancellationToken cancellationToken) =>
        _registration = cancellationToken.UnsafeRegister(static writer => ((DirectWriter)writer!).CancelByToken(), this);

    private void CancelByToken()
    {
        lock (_lock)
        {
            if (!_isWaiting) return;
            (_isWaiting, _isTokenCancelled) = (false, true);
        }

        connection.Loop.Post(connection, LoopWork.Flush);
    }

    private Sent SendStaged()
    {
        if (_staged.First is null) return Sent.All;
        var sent = Send(ref _staged);
        if (sent == Sent.Failed) connection.Loop.Blocks.ReturnAll(_staged.Take());
        return sent;
    }

    private Sent SendPending()
    {
        var sent = Send(ref _pending);
        if (sent == Sent.Failed) connection.Loop.Blocks.ReturnAll(_pending.Take());
        return sent;
    }

    private unsafe Sent Send(ref BlockList list)
    {
        if (IsGone || !connection.Use.TryBegin()) return Sent.Failed;
        var (result, error) = (Sent.All, 0);
        while (list.First is { } first)
        {
            var sent = first.Following is null ? Libc.Send(connection.Descriptor, first.Address + first.Start, (nuint)first.Length, Libc.NoSignal) : SendMany(first);
            if (sent < 0)
            {
                error = Marshal.GetLastSystemError();
                if (error == Errno.Interrupted) continue;
                result = error == Errno.TryAgain ? Sent.Part : Sent.Failed;
                break;
            }

            _sends++;
            _bytes += sent;
            BytesSent += sent;
            list.Drop(sent, connection.Loop.Blocks);
        }

        connection.EndUse();
        if (result == Sent.Failed) connection.FailBySystem(error);
        return result;
    }

    private unsafe nint SendMany(Block first)
    {
        var vectors = stackalloc Libc.Vector[MaxVectors];
        var count = 0;
        for (var block = first; block is not null && count < MaxVectors; block = block.Following)
            vectors[count++] = new() { Start = block.Address + block.Start, Length = (nuint)block.Length };
        var message = new Libc.MessageHeader { Vectors = vectors, VectorCount = (nuint)count };
        return Libc.SendMessage(connection.Descriptor, &message, Libc.NoSignal);
    }
}

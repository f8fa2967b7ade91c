using System.IO.Pipelines;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;
using Perch.Linux;
using Perch.Transport.Buffers;
using Perch.Transport.Loops;

namespace Perch.Transport.Connections;

/// <summary>
/// The reading side: a read receives at once and waits only where there is nothing; the loop then receives, and the reader
/// goes on. Its state is one word. Whoever has put <see cref="Receiving"/> there owns the buffers until it is taken away;
/// an edge that comes meanwhile is noted, so that no news is lost.
/// </summary>
/// <remarks>
/// A read of at least a block is one of bulk. Until there is so much the loop receives, and wakes nobody. No more than that is
/// received: who takes it all, and asks for <see cref="Block.LargeSize"/> each time, gets one block of whole pages each time.
/// </remarks>
internal sealed class DirectReader(DirectConnection connection, bool looksFirst) : PipeReader, IBlockWaiter, IValueTaskSource<ReadResult>
{
    /// <summary>What it takes of memory, for the cache.</summary>
    public const int ObjectBytes = 152;

    /// <summary>Of whoever waits for a read, for the cache: the state of an asynchronous method.</summary>
    private const int WaiterBytes = 192;

    /// <summary>The system has had news since the last receive began.</summary>
    private const int Edge = 1;

    /// <summary>A read waits for news. Who takes this away, for <see cref="Receiving"/>, completes it.</summary>
    private const int Waiting = 2;

    private const int Receiving = 4;

    /// <summary>The reader is done; for good.</summary>
    private const int Completed = 8;

    /// <summary>A result is with the reader, whose blocks stay until it advances: a completion by another thread leaves them to it.</summary>
    private const int HandedOut = 16;

    /// <summary>Less room than this is not worth a call.</summary>
    private const int MinReceiveBytes = 4096;

    /// <summary>What a connection may do before others have their turn.</summary>
    private const int MaxReceivesPerTurn = 16;
    private const int MaxBytesPerTurn = 256 * 1024;

    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = connection.IsOnThreadPool };
    private CancellationTokenRegistration _registration;
    private ReceivedBlocks _received;
    private int _state;
    private int _receives;
    private int _bytes;
    private volatile bool _isCancelRequested;
    private volatile bool _isTokenCancelled;
    private bool _mayBeLeft;
    private bool _mayHaveMore = looksFirst;
    private volatile bool _isAlert;
    private volatile bool _isMuted;
    private volatile bool _isPaused;
    private volatile bool _isShort;
    private int _atLeast;
    private object? _waiter;

    /// <summary>The peer's end was received.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>All bytes that were received.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Bytes of the blocks that hold unconsumed bytes.</summary>
    public long BytesOccupied => _received.Occupied;

    /// <summary>A read waits for news.</summary>
    public bool IsPending => (Volatile.Read(ref _state) & Waiting) != 0;

    /// <summary>Whether it receives nothing, since memory is short.</summary>
    private bool IsHeld => _isPaused || _isShort;

    private bool IsBulk => _atLeast >= Block.Size;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => ReadAtLeastAsyncCore(0, cancellationToken);

    protected override ValueTask<ReadResult> ReadAtLeastAsyncCore(int minimumSize, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        ThrowIfHandedOut();
        Enter();
        _atLeast = minimumSize;
        if (CanEnd()) return Ready();

        // Who has come from elsewhere, such as from a disk, keeps nobody of the loop waiting.
        if ((_receives < MaxReceivesPerTurn && _bytes < MaxBytesPerTurn) || !(connection.IsOnThreadPool || connection.Loop.IsOnThread))
        {
            if (_mayHaveMore && Receive()) return Ready();

            Prepare(cancellationToken);
            if (!TryWait() && ReceiveOrWait())
            {
                Unregister();
                if (!_isTokenCancelled) return Ready();
                Leave(0);
                return ValueTask.FromCanceled<ReadResult>(cancellationToken);
            }
        }
        else
        {
            // It has had its turn: the loop goes on with it behind what else is ready.
            Prepare(cancellationToken);
            connection.Loop.Post(connection, LoopWork.Read);
        }

        return new(this, _source.Version);
    }

    public override bool TryRead(out ReadResult result)
    {
        ThrowIfHandedOut();
        Enter();
        _atLeast = 0;
        var isReady = IsReady() || (_mayHaveMore && Receive());
        result = default;
        var error = connection.Error;
        Leave(isReady && error is null ? HandedOut : 0);
        if (!isReady) return false;
        if (error is not null) throw Wrap(error);
        result = HandOut(TakeCancellation());
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if ((Volatile.Read(ref _state) & HandedOut) == 0) throw new InvalidOperationException("There is no read to advance: AdvanceTo is called once for each result.");
        _received.Consume(consumed, examined, connection.Loop.Blocks);
        _mayBeLeft = false;
        if ((Interlocked.And(ref _state, ~HandedOut) & Completed) != 0) ReleaseBlocks();
    }

    public override void CancelPendingRead()
    {
        _isCancelRequested = true;
        Resume();
    }

    public override void Complete(Exception? exception = null)
    {
        int state, next;
        do
        {
            state = Volatile.Read(ref _state);
            if ((state & Completed) != 0) return;
            next = ((state & Waiting) != 0 ? Receiving : state) | Completed;
        }
        while (Interlocked.CompareExchange(ref _state, next, state) != state);
        // A read that nobody will wait for any more ends; one that is being served, or was handed out, is ended by who has it.
        if ((state & Waiting) != 0) connection.Loop.Post(connection, LoopWork.Read);
        else if ((state & (Receiving | HandedOut)) == 0) ReleaseBlocks();
        // What still comes is dropped when there is news of it.
        Unmute();
        connection.OnInputCompleted();
    }

    /// <summary>The system has news. On the loop's thread.</summary>
    /// <returns>Whether a read was waiting for it.</returns>
    public bool OnReadable()
    {
        while (true)
        {
            var state = Volatile.Read(ref _state);
            if ((state & Completed) != 0) return false;
            var isWaiting = (state & Waiting) != 0;
            var next = isWaiting ? Receiving : state | Edge;
            if (next != state && Interlocked.CompareExchange(ref _state, next, state) != state) continue;
            if (!isWaiting) return false;
            // A read that was cancelled at the same time ends without having looked: the next one does.
            _mayHaveMore = true;
            Continue();
            return true;
        }
    }

    /// <summary>A short receive does not mean any more that nothing is left: the peer has ended, or sent urgent data.</summary>
    public void Alert() => _isAlert = true;

    public void PrefetchWaiter() => Cache.Prefetch(_waiter, WaiterBytes);

    /// <summary>Ends a waiting read with the connection's error.</summary>
    public void Fail() => Resume();

    /// <summary>Receives nothing until <see cref="EndPause"/>. Bytes that were received before can be read.</summary>
    public void Pause() => _isPaused = true;

    /// <summary>Receives again. A waiting read continues without another call.</summary>
    public void EndPause()
    {
        _isPaused = false;
        Resume();
    }

    /// <summary>Receives again after a wait for blocks.</summary>
    void IBlockWaiter.OnBlocksFree()
    {
        _isShort = false;
        Resume();
    }

    /// <summary>Goes on with a read that was taken from its wait. On the loop's thread.</summary>
    public void Continue()
    {
        if (!ReceiveOrWait()) return;
        var error = connection.Error;
        var isCompleted = !TryLeave(error is null && !_isTokenCancelled ? HandedOut : 0);
        if (isCompleted) _source.SetException(AlreadyCompleted());
        else if (error is not null) _source.SetException(error);
        else if (_isTokenCancelled) _source.SetException(new OperationCanceledException(_registration.Token));
        else _source.SetResult(TakeCancellation());
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token)
    {
        _registration.Dispose();
        return HandOut(_source.GetResult(token));
    }

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _waiter = state;
        _source.OnCompleted(continuation, state, token, flags);
    }

    private static InvalidOperationException AlreadyCompleted() => new("Reading is not allowed after the reader was completed.");

    private static Exception Wrap(Exception error) => error is ConnectionResetException ? new ConnectionResetException(error.Message, error) : error;

    /// <summary>Takes the buffers for a receive; news until here are those that it will see.</summary>
    private void Enter()
    {
        while (true)
        {
            var state = Volatile.Read(ref _state);
            if ((state & Completed) != 0) throw AlreadyCompleted();
            if ((state & (Waiting | Receiving)) != 0) throw new InvalidOperationException("A read is already under way.");
            if (Interlocked.CompareExchange(ref _state, Receiving, state) != state) continue;
            if ((state & Edge) != 0 || _isMuted) _mayHaveMore = true;
            return;
        }
    }

    /// <param name="to">0, or <see cref="HandedOut"/>.</param>
    private void Leave(int to)
    {
        if (!TryLeave(to)) throw AlreadyCompleted();
    }

    /// <returns>False where the reader was completed meanwhile; its blocks are gone.</returns>
    private bool TryLeave(int to)
    {
        if ((Interlocked.Add(ref _state, to - Receiving) & Completed) == 0) return true;
        Interlocked.And(ref _state, ~HandedOut);
        ReleaseBlocks();
        return false;
    }

    private bool IsReady() => _isCancelRequested || HasEnough() || HasEnded || connection.Error is not null;

    /// <summary>
    /// Whether a read can end now. A cancelled read receives first, so that a message that arrived before a drain is handed out with
    /// the cancellation.
    /// </summary>
    private bool CanEnd()
    {
        if (!IsReady())
            return false;
        if (_isCancelRequested && !HasEnough() && !HasEnded && connection.Error is null)
            _ = ReceiveOnce();
        return true;
    }

    private bool HasEnough() => !_received.IsExamined && (_atLeast == 0 || _received.Length >= _atLeast);

    private ValueTask<ReadResult> Ready()
    {
        if (IsBulk) Mute();
        var error = connection.Error;
        Leave(error is null ? HandedOut : 0);
        return error is null ? new(HandOut(TakeCancellation())) : ValueTask.FromException<ReadResult>(Wrap(error));
    }

    private void Prepare(CancellationToken cancellationToken)
    {
        (_receives, _bytes) = (0, 0);
        connection.Writer.BeginTurn();
        Unmute();
        _source.Reset();
        _isTokenCancelled = false;
        _registration = cancellationToken.UnsafeRegister(static reader => ((DirectReader)reader!).CancelByToken(), this);
    }

    /// <summary>
    /// Who reads much, and comes back for more from elsewhere, finds what is there without being told: the loop, which would be
    /// woken for each segment, is left alone until a read waits.
    /// </summary>
    private void Mute()
    {
        if (!_isMuted && !connection.Loop.IsOnThread) _isMuted = connection.TryWatchReads(isWatched: false);
    }

    private void Unmute()
    {
        if (!_isMuted) return;
        _isMuted = false;
        connection.TryWatchReads(isWatched: true);
    }

    private void CancelByToken()
    {
        _isTokenCancelled = true;
        Resume();
    }

    /// <summary>Has a waiting read looked after by the loop.</summary>
    private void Resume()
    {
        // The fence between the flag of the caller and the state.
        if (Interlocked.CompareExchange(ref _state, Receiving, Waiting) == Waiting) connection.Loop.Post(connection, LoopWork.Read);
    }

    /// <summary>From <see cref="Receiving"/> to <see cref="Waiting"/>.</summary>
    /// <returns>False where there is something to do first; the caller still owns the buffers.</returns>
    private bool TryWait()
    {
        if (_received.Last is not null)
            _received.Compact(connection.Loop.Blocks);
        while (true)
        {
            var state = Volatile.Read(ref _state);
            if ((state & Completed) != 0) return false;
            var isWait = (state & Edge) == 0;
            var isLeftByPause = _mayHaveMore;
            if (Interlocked.CompareExchange(ref _state, isWait ? Waiting : Receiving, state) != state) continue;
            if (!isWait)
            {
                _mayHaveMore = true;
                return false;
            }

            // What was asked for in between has not seen the wait.
            var isWanted = _isCancelRequested || _isTokenCancelled || connection.Error is not null || (isLeftByPause && !IsHeld);
            return !isWanted || Interlocked.CompareExchange(ref _state, Receiving, Waiting) != Waiting;
        }
    }

    /// <returns>Whether there is something to hand out; else the read waits, and others may already be at it.</returns>
    private bool ReceiveOrWait()
    {
        while (true)
        {
            if ((Volatile.Read(ref _state) & Completed) != 0 || _isTokenCancelled || CanEnd() || Receive()) return true;
            if (TryWait()) return false;
        }
    }

    /// <returns>False where there is not enough to receive yet.</returns>
    private bool Receive()
    {
        // _mayHaveMore stays set: the wait that follows ends when the pause ends.
        if (IsHeld && !connection.HasFailed)
            return false;
        while (ReceiveOnce())
        {
            if (IsReady()) return true;
            if (!_mayHaveMore) return false;
        }

        return false;
    }

    /// <returns>What a read of bulk lacks; else there is no limit: one that has enough, and had seen all of it, takes what there is.</returns>
    private int Wanted() => IsBulk && _atLeast - _received.Length is > 0 and var lacks ? (int)lacks : int.MaxValue;

    private unsafe bool ReceiveOnce()
    {
        var wanted = Wanted();
        var block = _received.Last;
        var isLarge = wanted < int.MaxValue && wanted + (block is { IsSmall: true } ? _received.Length : 0) >= Block.LargeSize;
        var isFresh = block is null || block.Free < Math.Min(wanted, MinReceiveBytes) || (isLarge && !block.IsLarge);
        if (isFresh)
        {
            if (MustWaitForBlocks())
                return false;
            var fresh = isLarge ? connection.Loop.Blocks.TryRentLarge() : connection.Loop.Blocks.TryRent();
            if (fresh is null)
            {
                // An exception would leave the read without an end: nothing waits for the loop's call.
                connection.FailBySystem(Errno.OutOfMemory);
                return true;
            }

            if (block is { IsSmall: true })
            {
                // The message becomes contiguous again, in a block that is no longer empty.
                _received.MoveTo(fresh, connection.Loop.Blocks);
                isFresh = false;
            }

            block = fresh;
        }

        var room = Math.Min(block!.Free, wanted);
        nint received;
        int error;
        if (connection.Use.TryBegin(out var descriptor))
        {
            do
            {
                received = Libc.Receive(descriptor, block.Address + block.End, (nuint)room, 0);
                error = received < 0 ? Marshal.GetLastSystemError() : 0;
            }
            while (error == Errno.Interrupted);
            connection.EndUse();
        }
        else
        {
            (received, error) = (-1, Errno.ConnectionReset);
        }

        if (received > 0)
        {
            _received.Append(block, (int)received);
            _receives++;
            _bytes += (int)received;
            BytesReceived += received;
            // Fewer than there was room for is all there was; news of more will come (epoll(7), edge-triggered).
            _mayHaveMore = received == room || _isAlert || !connection.TellsOfMore;
            return true;
        }

        if (isFresh) connection.Loop.Blocks.Return(block);
        if (error == Errno.TryAgain)
        {
            _mayHaveMore = false;
            return false;
        }

        // The reader may keep the last bytes for long, such as until a store answers.
        if (_received.Last is not null)
            _received.Compact(connection.Loop.Blocks);
        if (received == 0 && !connection.HasFailed)
        {
            HasEnded = true;
            connection.OnPeerEnded();
        }
        else
        {
            connection.FailBySystem(received == 0 ? Errno.ConnectionReset : error);
        }

        return true;
    }

    /// <summary>Whether a receive that needs a block has to wait, since connections occupy all memory that they may.</summary>
    private bool MustWaitForBlocks()
    {
        if (connection.HasFailed || !connection.Loop.Blocks.IsShort(isGrowing: _received.Occupied >= Block.Size))
            return false;
        // The wait that follows ends when blocks are free.
        _mayHaveMore = true;
        if (_isShort)
            return true;
        _isShort = true;
        try
        {
            connection.Loop.Blocks.Wait(this);
            return true;
        }
        catch (OutOfMemoryException)
        {
            _isShort = false;
            return false;
        }
    }

    private ReadResult HandOut(bool isCancelled)
    {
        // A result that was only cancelled may be left without AdvanceTo.
        _mayBeLeft = isCancelled;
        return new(_received.Bytes, isCancelled, HasEnded);
    }

    private void ReleaseBlocks() => _received.Release(connection.Loop.Blocks);

    private void Unregister() => _registration.Dispose();

    private bool TakeCancellation()
    {
        if (!_isCancelRequested) return false;
        _isCancelRequested = false;
        return true;
    }

    private void ThrowIfHandedOut()
    {
        if ((Volatile.Read(ref _state) & HandedOut) != 0 && !_mayBeLeft) throw new InvalidOperationException("A read is already under way: call AdvanceTo first.");
    }
}

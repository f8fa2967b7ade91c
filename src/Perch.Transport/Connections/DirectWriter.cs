using System.IO.Pipelines;
using System.Runtime.InteropServices;
using Perch.Linux;
using Perch.Transport.Buffers;

namespace Perch.Transport.Connections;

/// <summary>
/// The writing side: a flush sends at once, and is done when the system has every byte, so that who awaits it is held back by
/// the peer and nothing grows. What the socket does not take is the loop's to send (<see cref="WriteBacklog"/>); a flush that is
/// cancelled does not end that.
/// </summary>
internal sealed class DirectWriter(DirectConnection connection) : PipeWriter
{
    /// <summary>What it takes of memory, for the cache.</summary>
    public const int ObjectBytes = 88;

    /// <summary>What a connection may send before others have their turn.</summary>
    private const int MaxSendsPerTurn = 64;
    private const int MaxBytesPerTurn = 1024 * 1024;

    private const int MaxVectors = 16;

    /// <summary>Written, and the writer's own.</summary>
    private BlockList _staged;

    /// <summary>Made when something first has to wait.</summary>
    private volatile WriteBacklog? _backlog;
    private int _sends;
    private int _bytes;
    private volatile bool _isCancelRequested;
    private bool _isCompleted;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _staged.Length;

    /// <summary>All bytes that the system has taken.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Bytes of the blocks that hold unsent bytes.</summary>
    public long BytesOccupied => _staged.Occupied + (_backlog?.BytesOccupied ?? 0);

    /// <summary>Odd while a flush waits for the peer to read; every wait has a number of its own.</summary>
    public int Waits => _backlog?.Waits ?? 0;

    /// <summary>A flush was told that nobody reads any more.</summary>
    public bool HasToldPeerLeft { get; private set; }

    /// <summary>Others have theirs before it sends more: <see cref="YieldAsync"/>.</summary>
    public bool HasHadItsTurn => _sends >= MaxSendsPerTurn || _bytes >= MaxBytesPerTurn;

    /// <summary><see cref="CancelPendingFlush"/> was called, and no flush has been told.</summary>
    public bool IsCancelRequested => _isCancelRequested;

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
        if (_backlog is { IsArmed: true }) return WaitAsync(cancellationToken);
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
        _isCancelRequested = true;
        // A flush that makes a backlog after this has found none sees the request.
        Thread.MemoryBarrier();
        _backlog?.CancelWait();
    }

    /// <summary>Sends what was written and not flushed, then this side's end. With an error the connection is reset, so that the peer does not take it for whole.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (Interlocked.Exchange(ref _isCompleted, true)) return;
        if (exception is not null)
        {
            connection.Abort(new Microsoft.AspNetCore.Connections.ConnectionAbortedException("The output was completed with an error.", exception));
        }

        var isLeft = _backlog is { IsArmed: true } || SendStaged() == Sent.Part;
        if (!isLeft || !Backlog().TryJoin(ref _staged, null)) connection.OnOutputFinished();
    }

    /// <summary>It may send as much as any other again.</summary>
    public void BeginTurn() => (_sends, _bytes) = (0, 0);

    /// <summary>The socket takes bytes again. On the loop's thread.</summary>
    public void OnWritable() => _backlog?.OnWritable();

    /// <summary>Drops what is not sent, and ends a flush that waits. The connection has its error by now.</summary>
    public void Fail() => _backlog?.Drop();

    /// <summary>Ends a flush that was taken from its wait. On the loop's thread.</summary>
    public void Continue() => _backlog!.Continue();

    /// <summary>Waits until the socket takes bytes; for who sends past the writer. No write or flush may be under way.</summary>
    /// <returns>A flush of nothing; null where it takes some now, or is gone.</returns>
    public ValueTask<FlushResult>? WaitUntilWritable(CancellationToken cancellationToken) => Backlog().WaitUntilWritable(cancellationToken);

    /// <summary>Counts what one call has sent; also of who sends past the writer.</summary>
    public void CountSent(long bytes)
    {
        _sends++;
        // More than a turn is as good as a turn.
        _bytes = (int)Math.Min(_bytes + bytes, MaxBytesPerTurn);
        BytesSent += bytes;
    }

    /// <summary>Goes on behind what else is ready, on the loop. No write or flush may be under way.</summary>
    /// <returns>A flush of nothing.</returns>
    public ValueTask<FlushResult> YieldAsync() => Backlog().YieldAsync();

    /// <summary>Takes a <see cref="CancelPendingFlush"/>, for the flush that tells of it.</summary>
    public bool TakeCancellation()
    {
        if (!_isCancelRequested) return false;
        _isCancelRequested = false;
        return true;
    }

    /// <summary>What a flush that ends now returns.</summary>
    public FlushResult Result(bool isCancelled)
    {
        var isGone = connection.Error is not null;
        if (isGone) HasToldPeerLeft = true;
        return new(isCancelled, isGone);
    }

    /// <summary>Sends what the socket takes; what is left stays in the list, unless it failed.</summary>
    public Sent Send(ref BlockList list)
    {
        var sent = SendBlocks(ref list);
        if (sent == Sent.Failed) connection.Loop.Blocks.ReturnAll(list.Take());
        return sent;
    }

    private Block WithRoom(int sizeHint)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (Volatile.Read(ref _isCompleted)) throw new InvalidOperationException("Writing is not allowed after the writer was completed.");
        if (_staged.Last is { } last && last.Free >= Math.Max(sizeHint, 1)) return last;
        var block = connection.Loop.Blocks.Rent(sizeHint);
        _staged.Append(block);
        return block;
    }

    private ValueTask<FlushResult> WaitAsync(CancellationToken cancellationToken)
    {
        var backlog = Backlog();
        return backlog.TryJoin(ref _staged, cancellationToken) ? backlog.WaitAsync() : new(Result(TakeCancellation()));
    }

    /// <summary>That of the connection: a flush and the end, of another thread, may both need one.</summary>
    private WriteBacklog Backlog()
    {
        if (_backlog is { } known) return known;
        var made = new WriteBacklog(connection);
        return Interlocked.CompareExchange(ref _backlog, made, null) ?? made;
    }

    private Sent SendStaged() => _staged.First is null ? Sent.All : Send(ref _staged);

    private unsafe Sent SendBlocks(ref BlockList list)
    {
        if (connection.Error is not null || !connection.Use.TryBegin(out var descriptor)) return Sent.Failed;
        var (result, error) = (Sent.All, 0);
        while (list.First is { } first)
        {
            var sent = first.Following is null ? Libc.Send(descriptor, first.Address + first.Start, (nuint)first.Length, Libc.NoSignal) : SendMany(descriptor, first);
            if (sent < 0)
            {
                error = Marshal.GetLastSystemError();
                if (error == Errno.Interrupted) continue;
                result = error == Errno.TryAgain ? Sent.Part : Sent.Failed;
                break;
            }

            CountSent(sent);
            list.Drop(sent, connection.Loop.Blocks);
        }

        connection.EndUse();
        if (result == Sent.Failed) connection.FailBySystem(error);
        return result;
    }

    private unsafe nint SendMany(int descriptor, Block first)
    {
        var vectors = stackalloc Libc.Vector[MaxVectors];
        var count = 0;
        for (var block = first; block is not null && count < MaxVectors; block = block.Following)
            vectors[count++] = new() { Start = block.Address + block.Start, Length = (nuint)block.Length };
        var message = new Libc.MessageHeader { Vectors = vectors, VectorCount = (nuint)count };
        return Libc.SendMessage(descriptor, &message, Libc.NoSignal);
    }
}

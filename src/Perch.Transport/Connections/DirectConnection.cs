using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;
using Perch.Transport.Loops;
using Perch.Transport.Timers;

namespace Perch.Transport.Connections;

/// <summary>
/// A connection that is its own duplex pipe over a descriptor. It is closed when both sides are done and the peer has
/// ended or the linger time is over, or at once when it fails or is aborted; whoever ends the last system call that is
/// under way then closes the descriptor.
/// </summary>
internal sealed class DirectConnection : ConnectionFeatures, IDuplexPipe, IEventSource, ISendFileFeature, IConnectionProgressFeature, IConnectionIdFeature,
    IConnectionTransportFeature, IConnectionItemsFeature, IConnectionLifetimeFeature, IConnectionEndPointFeature, IMemoryPoolFeature,
    IConnectionTimerFeature, IConnectionLingerFeature, IConnectionMemoryFeature
{
    private const int InputDone = 1;
    private const int OutputDone = 2;
    private const int BothDone = InputDone | OutputDone;

    /// <summary>What is dropped in one turn.</summary>
    private const int MaxDrainsPerTurn = 16;

    private static readonly Type[] Types =
    [
        typeof(IConnectionIdFeature), typeof(IConnectionTransportFeature), typeof(IConnectionItemsFeature), typeof(IConnectionLifetimeFeature),
        typeof(IConnectionEndPointFeature), typeof(IMemoryPoolFeature), typeof(IConnectionTimerFeature),
        typeof(IConnectionLingerFeature), typeof(IConnectionMemoryFeature),
    ];

    /// <summary>
    /// Those that are of its own transport. What has taken the transport's place, such as TLS, would be passed by a file, and not
    /// be counted: then they are gone.
    /// </summary>
    private static readonly Type[] TypesOfOwnTransport = [typeof(ISendFileFeature), typeof(IConnectionProgressFeature)];

    private readonly DirectListener _listener;
    private RemoteName _remote;
    private DescriptorUse _use;
    private Exception? _error;
    private IDuplexPipe _transport;
    private string? _id;
    private IDictionary<object, object?>? _items;
    private ClosedSignal _closedSignal;
    private TaskCompletionSource? _closed;
    private int _done;
    private volatile bool _isClosedReplaced;
    private volatile bool _isReset;
    private volatile bool _hasFailed;
    private bool _isLingering;
    private volatile bool _skipsLinger;
    private volatile bool _isClosed;

    public DirectConnection(int descriptor, in RemoteName remote, Loop loop, DirectListener listener)
    {
        (_use, _remote, Loop, _listener) = (new(descriptor), remote, loop, listener);
        IsOnThreadPool = listener.Options.Scheduling == ContinuationScheduling.ThreadPool;
        TellsOfMore = listener.IsTcp;
        // One that is served at once would be too early: what there is, the loop tells of.
        Reader = new(this, looksFirst: listener.Options.Serve is null);
        Writer = new(this);
        _transport = this;
    }

    public Loop Loop { get; }

    public ulong Key { get; set; }

    public LoopHolds Holds => _listener.Holds;

    public bool IsOnThreadPool { get; }

    /// <summary>Whether a receive that returns less than there was room for has left nothing: not where messages have boundaries.</summary>
    public bool TellsOfMore { get; }

    public DirectReader Reader { get; }

    public DirectWriter Writer { get; }

    public ref DescriptorUse Use => ref _use;

    /// <summary>
    /// The system has told of a failure, which it tells once: whoever asks next gets the end of the stream. It was no end, though
    /// <see cref="Error"/> may not say so yet.
    /// </summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Why the connection is no more; null while it is, or where it ended well.</summary>
    public Exception? Error => Volatile.Read(ref _error);

    PipeReader IDuplexPipe.Input => Reader;

    PipeWriter IDuplexPipe.Output => Writer;

    public override IDuplexPipe Transport
    {
        get => _transport;
        set => _transport = value;
    }

    public override string ConnectionId
    {
        get => _id ??= _listener.Loops.NextConnectionId();
        set => _id = value;
    }

    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    public override EndPoint? RemoteEndPoint
    {
        get => _remote.EndPoint;
        set => _remote.Replace(value);
    }

    public override EndPoint? LocalEndPoint
    {
        get => base.LocalEndPoint ??= FindLocalEndPoint();
        set => base.LocalEndPoint = value;
    }

    public override CancellationToken ConnectionClosed
    {
        get => _isClosedReplaced ? base.ConnectionClosed : _closedSignal.Token;
        set
        {
            base.ConnectionClosed = value;
            _isClosedReplaced = true;
        }
    }

    long IConnectionProgressFeature.BytesReceived => Reader.BytesReceived;

    long IConnectionProgressFeature.BytesSent => Writer.BytesSent;

    bool IConnectionProgressFeature.IsReadPending => Reader.IsPending;

    int IConnectionProgressFeature.FlushWaits => Writer.Waits;

    bool IConnectionProgressFeature.HasPeerEnded => Reader.HasEnded;

    bool IConnectionProgressFeature.HasPeerLeft => Writer.HasToldPeerLeft;

    bool IConnectionMemoryFeature.HasRunOut =>
        _error is ConnectionResetException { InnerException: SocketException { SocketErrorCode: SocketError.NoBufferSpaceAvailable } };

    long IConnectionMemoryFeature.BytesOccupied => Reader.BytesOccupied + Writer.BytesOccupied;

    MemoryPool<byte> IMemoryPoolFeature.MemoryPool => _listener.Loops.Pool;

    TimerWheel IConnectionTimerFeature.Timers => Loop.Timers;

    protected override FeatureLayout Layout => _listener.Loops.Features;

    protected override IEnumerable<Type> OwnTypes => Types.Concat(TypesOfOwnTransport);

    /// <summary>Ends a system call that <see cref="DescriptorUse.TryBegin"/> allowed.</summary>
    public void EndUse()
    {
        if (_use.End()) CloseDescriptor();
    }

    public override void Abort() => Abort(new ConnectionAbortedException("The connection was aborted by the application."));

    /// <summary>Resets the connection: reads throw the reason, flushes find that nobody reads.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        _isReset = true;
        if (!TryFail(abortReason)) CloseUse();
    }

    void IConnectionMemoryFeature.PauseReading() => Reader.Pause();

    void IConnectionMemoryFeature.ResumeReading() => Reader.EndPause();

    public void SkipLinger() => _skipsLinger = true;

    public override async ValueTask DisposeAsync()
    {
        await Reader.CompleteAsync();
        await Writer.CompleteAsync();
        await ClosedAsync();
        await base.DisposeAsync();
    }

    public async Task<long> SendFileAsync(SafeFileHandle file, long offset, long length, CancellationToken cancellationToken = default)
    {
        var flush = await Writer.FlushAsync(cancellationToken);
        return flush.IsCompleted ? 0 : await FileSending.SendAsync(this, file, offset, length, cancellationToken);
    }

    /// <summary>A system call failed for good.</summary>
    public void FailBySystem(int error) => TryFail(ConnectionErrors.Describe(error));

    /// <summary>Whether the loop is told of bytes that come; of the peer's end and of errors it always is.</summary>
    /// <returns>Whether it is so now.</returns>
    public bool TryWatchReads(bool isWatched)
    {
        if (!_use.TryBegin(out var descriptor)) return false;
        var error = Loop.TryWatchFor(descriptor, isWatched ? DirectListener.ConnectionEvents : DirectListener.ConnectionEvents & ~(Epoll.Readable | Epoll.Urgent), this);
        EndUse();
        return error == 0;
    }

    /// <summary>The peer's end was received.</summary>
    public void OnPeerEnded()
    {
        if (_listener.Options.CloseOnPeerEnd) TellClosed();
    }

    public void OnInputCompleted() => OnDone(InputDone);

    /// <summary>Everything is sent, or will never be.</summary>
    public void OnOutputFinished()
    {
        // Where the close follows at once it says the same.
        var isLast = (Volatile.Read(ref _done) & InputDone) != 0 && Reader.HasEnded;
        if (!isLast && Error is null && _use.TryBegin(out var descriptor))
        {
            _ = Libc.Shutdown(descriptor, Libc.ShutdownWrite);
            EndUse();
        }

        OnDone(OutputDone);
    }

    public void OnEvents(uint events)
    {
        if (_isLingering)
        {
            Drain();
            return;
        }

        if ((events & Epoll.Error) != 0) _hasFailed = true;
        if ((events & (Epoll.PeerHangUp | Epoll.HangUp | Epoll.Urgent)) != 0) Reader.Alert();
        if ((events & (Epoll.Writable | Epoll.Error | Epoll.HangUp)) != 0) Writer.OnWritable();
        if ((events & ~(Epoll.Writable | Epoll.EdgeTriggered)) == 0) return;
        var wasWaiting = Reader.OnReadable();
        // Nobody reads who would find out.
        if ((events & Epoll.Error) != 0 && !wasWaiting) FailByPendingError();
        else if ((events & Epoll.PeerHangUp) != 0) OnPeerEnded();
    }

    public void OnWork(LoopWork work)
    {
        switch (work)
        {
            case LoopWork.Read:
                Reader.Continue();
                break;
            case LoopWork.Flush:
                Writer.Continue();
                break;
            case LoopWork.Linger when _isLingering:
                Drain();
                break;
            case LoopWork.Linger:
                Linger();
                break;
            default:
                FireClosed();
                break;
        }
    }

    public void PrefetchParts()
    {
        Cache.Prefetch(Reader, DirectReader.ObjectBytes);
        Cache.Prefetch(Writer, DirectWriter.ObjectBytes);
    }

    public void Prefetch() => Reader.PrefetchWaiter();

    /// <summary>The peer had its time to end.</summary>
    public void OnReminder() => CloseUse();

    public void OnLoopEnded() => Abort(new ConnectionAbortedException("The transport was stopped."));

    protected override object? FindOwn(Type type) =>
        Array.IndexOf(Types, type) >= 0 || (ReferenceEquals(_transport, this) && Array.IndexOf(TypesOfOwnTransport, type) >= 0) ? this : null;

    private bool TryFail(Exception error)
    {
        if (Interlocked.CompareExchange(ref _error, error, null) is not null) return false;
        Reader.Fail();
        Writer.Fail();
        CloseUse();
        return true;
    }

    private void FailByPendingError()
    {
        if (!_use.TryBegin(out var descriptor)) return;
        var error = Libc.TakeError(descriptor);
        EndUse();
        if (error != 0) FailBySystem(error);
    }

    private void OnDone(int side)
    {
        var before = Interlocked.Or(ref _done, side);
        if (before == BothDone || (before | side) != BothDone || _use.IsClosing) return;
        if (Reader.HasEnded || _skipsLinger || _listener.Options.LingerTime <= TimeSpan.Zero) CloseUse();
        else if (Loop.IsOnThread) Linger();
        else Loop.Post(this, LoopWork.Linger);
    }

    /// <summary>
    /// Our end is sent, and the peer's is waited for: a close that leaves bytes unread, or gets some later, is a reset, and
    /// that may take our last bytes from the peer.
    /// </summary>
    private void Linger()
    {
        _isLingering = true;
        Drain();
        if (!_use.IsClosing) Loop.Remind(this, _listener.Options.LingerTime);
    }

    private unsafe void Drain()
    {
        if (Loop.Blocks.TryRent() is not { } block)
        {
            CloseUse();
            return;
        }

        for (var i = 0; ; i++)
        {
            if (!_use.TryBegin(out var descriptor)) break;
            var received = Libc.Receive(descriptor, block.Address, Buffers.Block.Size, 0);
            var error = received < 0 ? System.Runtime.InteropServices.Marshal.GetLastSystemError() : 0;
            EndUse();
            if (error == Errno.Interrupted) continue;
            if (error == Errno.TryAgain) break;
            if (received <= 0)
            {
                CloseUse();
                break;
            }

            // Others have their turn.
            if (i < MaxDrainsPerTurn) continue;
            Loop.Post(this, LoopWork.Linger);
            break;
        }

        Loop.Blocks.Return(block);
    }

    private void CloseUse()
    {
        if (_use.Close()) CloseDescriptor();
    }

    private void CloseDescriptor()
    {
        Loop.Forget(this);
        // A peer that has reset the connection hears of no more.
        var descriptor = _use.DescriptorToClose;
        if (_isReset) Libc.SetReset(descriptor);
        _ = Libc.Close(descriptor);
        _isClosed = true;
        TellClosed();
        Volatile.Read(ref _closed)?.TrySetResult();
    }

    private async Task ClosedAsync()
    {
        if (_isClosed) return;
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        closed = Interlocked.CompareExchange(ref _closed, closed, null) ?? closed;
        if (!_isClosed) await closed.Task;
    }

    /// <summary>Those who wait for the close go on, on the loop or where the scheduling says, and not within whatever closed it.</summary>
    private void TellClosed()
    {
        if (!_closedSignal.Close()) return;
        if (IsOnThreadPool) ThreadPool.UnsafeQueueUserWorkItem(static connection => connection.FireClosed(), this, preferLocal: false);
        else Loop.Post(this, LoopWork.Closed);
    }

    private void FireClosed()
    {
        try
        {
            _closedSignal.Fire();
        }
        catch (AggregateException exception)
        {
            _listener.OnCallbackThrew(exception);
        }
    }

    private EndPoint? FindLocalEndPoint()
    {
        if (_listener.IsTcp && _use.TryBegin(out var descriptor))
        {
            var name = SocketName.OfLocal(descriptor);
            EndUse();
            if (name is not null) return name;
        }

        return _listener.EndPoint;
    }
}

using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.Linux;
using Perch.Transport.Connections;
using Perch.Transport.Loops;

namespace Perch.Transport;

/// <summary>
/// A listening socket. Its loop hears of connections; each is accepted when somebody asks for one, what nobody asked for
/// stays in the system's backlog, and goes to the next loop in turn. The unbind accepts what the backlog still holds.
/// </summary>
internal sealed partial class DirectListener : IConnectionListener, IEventSource, IValueTaskSource<ConnectionContext?>
{
    /// <summary>What is accepted before others have their turn.</summary>
    private const int MaxAcceptsPerTurn = 64;

    public const uint ConnectionEvents = Epoll.Readable | Epoll.Writable | Epoll.PeerHangUp | Epoll.Urgent | Epoll.EdgeTriggered;

    private static readonly TimeSpan BackOff = TimeSpan.FromMilliseconds(100);

    /// <summary>How often the gate is asked while it is closed: a call that costs nothing.</summary>
    private static readonly TimeSpan GateInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>Lines about accepts that fail and succeed in turns have at least this distance.</summary>
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan RebindInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Loop _loop;
    private readonly ILogger _logger;
    private Socket _socket;
    private ManualResetValueTaskSourceCore<ConnectionContext?> _source;
    private CancellationTokenRegistration _registration;
    private int _reserve;
    private int _accepted;
    private long _broken;
    private long _accepts;
    private bool _hasNews = true;
    private bool _isWaiting;
    private bool _isShort;
    private bool _isGateClosed;
    private bool _hasToldOfShort;
    private long? _toldOfShort;
    private bool _hasReminder;
    private bool _isDead;
    private volatile bool _isHungUp;
    private bool _isUnbinding;
    private bool _isUnbound;
    private Queue<DirectConnection>? _remaining;

    public DirectListener(Socket socket, DirectTransportOptions options, LoopGroup loops, ILogger logger)
    {
        (_socket, Options, Loops, _logger) = (socket, options, loops, logger);
        EndPoint = socket.LocalEndPoint!;
        IsTcp = EndPoint is IPEndPoint;
        Holds = new(options.Name ?? EndPoint.ToString()!, options.LoopHeld, logger, TimeProvider.System);
        _loop = loops.Next();
        _reserve = OpenReserve();
        if (TryWatch(socket) is not 0 and var error) throw new Win32Exception(error);
    }

    private enum Attempt
    {
        Accepted,
        Nothing,
        Later,
    }

    public EndPoint EndPoint { get; }

    public DirectTransportOptions Options { get; }

    public LoopGroup Loops { get; }

    public bool IsTcp { get; }

    public ulong Key { get; set; }

    public LoopHolds Holds { get; }

    /// <summary>Connections that were gone before they were accepted, or could not be watched.</summary>
    public long BrokenConnections => Interlocked.Read(ref _broken);

    /// <summary>Calls of accept(2).</summary>
    public long AcceptCalls => Interlocked.Read(ref _accepts);

    public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<ConnectionContext?>(cancellationToken);
        if (_accepted >= MaxAcceptsPerTurn)
        {
            _accepted = 0;
            _source.Reset();
            _loop.Post(this, LoopWork.Accept);
            return new(this, _source.Version);
        }

        _source.Reset();
        if (AcceptOrWait(out var connection)) return new(connection);
        lock (_lock)
        {
            if (_isWaiting) _registration = cancellationToken.UnsafeRegister(static (listener, token) => ((DirectListener)listener!).CancelAccept(token), this);
        }

        return new(this, _source.Version);
    }

    /// <summary>
    /// Accepts every connection that the kernel has queued, and closes the listening socket before the call returns.
    /// <see cref="AcceptAsync"/> returns these connections, and null after the last.
    /// </summary>
    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            if (_isUnbinding)
                return ValueTask.CompletedTask;
            _isUnbinding = true;
            // The descriptor number of a failed listener may belong to another file.
            if (_isDead)
                _loop.Forget(this);
            else
                Unwatch(_socket);
        }

        var remaining = _isDead ? null : AcceptRemaining();
        // Directly after the last accept: the kernel resets what it queues in between.
        _socket.Dispose();
        bool wasWaiting;
        lock (_lock)
        {
            (_isUnbound, _remaining) = (true, remaining);
            (wasWaiting, _isWaiting) = (_isWaiting, false);
        }

        CloseReserve();
        if (wasWaiting)
            _loop.Post(this, LoopWork.Accept);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await UnbindAsync();
        while (TakeRemaining() is { } connection)
        {
            connection.Abort();
            await connection.DisposeAsync();
        }
    }

    public void OnEvents(uint events)
    {
        // A listening socket has no other side: it was shut down. On a Unix socket accept(2) does not say so.
        if ((events & Epoll.HangUp) != 0) _isHungUp = true;
        Resume();
    }

    public void OnWork(LoopWork work)
    {
        if (work != LoopWork.Remind)
        {
            Continue();
        }
        else if (!_hasReminder)
        {
            _hasReminder = true;
            _loop.Remind(this, _isDead ? RebindInterval : _isGateClosed ? GateInterval : BackOff);
        }
    }

    /// <summary>Descriptors may have come free, or the address.</summary>
    public void OnReminder()
    {
        _hasReminder = false;
        Resume();
    }

    public void OnLoopEnded()
    {
        // Whoever accepts is told by the unbind.
    }

    public void OnCallbackThrew(Exception exception) => Log.CallbackThrew(_logger, exception);

    ConnectionContext? IValueTaskSource<ConnectionContext?>.GetResult(short token)
    {
        _registration.Dispose();
        _registration = default;
        return _source.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<ConnectionContext?>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<ConnectionContext?>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    private void Resume()
    {
        lock (_lock)
        {
            _hasNews = true;
            if (!_isWaiting) return;
            _isWaiting = false;
        }

        Continue();
    }

    private void Continue()
    {
        DirectConnection? connection;
        try
        {
            if (!AcceptOrWait(out connection)) return;
        }
        catch (Exception exception)
        {
            _source.SetException(exception);
            return;
        }

        _source.SetResult(connection);
    }

    private void CancelAccept(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_isWaiting) return;
            _isWaiting = false;
        }

        _source.SetException(new OperationCanceledException(cancellationToken));
    }

    /// <returns>False where nobody is there: the accept waits, and the loop may already be at it.</returns>
    private bool AcceptOrWait(out DirectConnection? connection)
    {
        connection = null;
        while (true)
        {
            lock (_lock)
            {
                if (_isUnbound)
                {
                    if (_remaining?.TryDequeue(out connection) == true)
                        _accepted++;
                    return true;
                }

                // The thread that unbinds accepts the rest.
                if (!_hasNews || _isUnbinding)
                {
                    _isWaiting = true;
                    _accepted = 0;
                    return false;
                }

                _hasNews = false;
            }

            var attempt = TryAccept(out connection);
            if (attempt == Attempt.Accepted)
            {
                // Others may wait behind it.
                lock (_lock) _hasNews = true;
                _accepted++;
                return true;
            }

            if (attempt == Attempt.Later) _loop.Post(this, LoopWork.Remind);
        }
    }

    private Attempt TryAccept(out DirectConnection? connection)
    {
        connection = null;
        if (_isDead && !TryRebind()) return Attempt.Later;
        while (true)
        {
            _isGateClosed = Options.AcceptGate?.TryEnter() == false;
            if (_isGateClosed)
            {
                NoteShort(Options.AcceptGate!.Reason);
                return Attempt.Later;
            }

            var (descriptor, error) = Accept(out var remote);
            if (descriptor >= 0)
            {
                NoteAccepted();

                if (TryWatch(descriptor, remote, out connection)) return Attempt.Accepted;
                Options.AcceptGate?.Leave();
                continue;
            }

            Options.AcceptGate?.Leave();

            switch (error)
            {
                case Errno.TryAgain when !_isHungUp:
                    return Attempt.Nothing;
                case Errno.TryAgain:
                    Bury("it was shut down");
                    return Attempt.Later;
                case Errno.TableOfProcessFull or Errno.TableOfSystemFull or Errno.NoBufferSpace or Errno.OutOfMemory:
                    Shed(error);
                    return Attempt.Later;
                case Errno.Interrupted:
                    continue;
                case var _ when Errno.IsOfConnection(error):
                    Interlocked.Increment(ref _broken);
                    continue;
                default:
                    Bury(Marshal.GetPInvokeErrorMessage(error));
                    return Attempt.Later;
            }
        }
    }

    private unsafe (int Descriptor, int Error) Accept(out RemoteName remote)
    {
        remote = default;
        try
        {
            Interlocked.Increment(ref _accepts);
            var name = stackalloc byte[SocketName.MaxLength];
            uint length = SocketName.MaxLength;
            var descriptor = Libc.Accept(_socket.SafeHandle, name, &length, Libc.NonBlocking | Libc.CloseOnExec);
            if (descriptor < 0) return (-1, Marshal.GetLastPInvokeError());
            if (IsTcp) remote = SocketName.Read(new(name, (int)Math.Min(length, SocketName.MaxLength)));
            return (descriptor, 0);
        }
        catch (ObjectDisposedException)
        {
            return (-1, Errno.BadDescriptor);
        }
    }

    /// <returns>0, or errno.</returns>
    private int TryWatch(Socket socket)
    {
        using var lease = new HandleLease(socket.SafeHandle);
        return _loop.TryWatch(lease.Descriptor, Epoll.Readable | Epoll.EdgeTriggered, this);
    }

    private void Unwatch(Socket socket)
    {
        using var lease = new HandleLease(socket.SafeHandle);
        _loop.Unwatch(lease.Descriptor, this);
    }

    /// <summary>
    /// At most as many as the backlog holds, which is one more than its number: peers that connect without end do not delay the unbind.
    /// </summary>
    private Queue<DirectConnection>? AcceptRemaining()
    {
        Queue<DirectConnection>? remaining = null;
        for (var left = Options.Backlog + 1; left > 0 && Options.AcceptGate?.TryEnter() != false; left--)
        {
            var (descriptor, error) = Accept(out var remote);
            if (descriptor >= 0 && TryWatch(descriptor, remote, out var connection))
            {
                (remaining ??= new()).Enqueue(connection);
                continue;
            }

            Options.AcceptGate?.Leave();
            if (descriptor < 0 && error != Errno.Interrupted && !Errno.IsOfConnection(error))
                break;
        }

        return remaining;
    }

    private DirectConnection? TakeRemaining()
    {
        lock (_lock)
            return _remaining is { Count: > 0 } ? _remaining.Dequeue() : null;
    }

    /// <summary>The socket will give no connection any more.</summary>
    private void Bury(string reason)
    {
        lock (_lock)
        {
            if (_isUnbinding) return;
            _isDead = true;
            // It leaves the loop with its descriptor; its place there is kept, for the reminder.
            _socket.Dispose();
        }

        Log.Dead(_logger, EndPoint, reason);
        Options.ListenerChanged?.Invoke(reason);
    }

    /// <summary>Listens anew on the address, and the port, that it had.</summary>
    private bool TryRebind()
    {
        lock (_lock)
        {
            if (_isUnbinding) return false;
            try
            {
                var socket = DirectTransportFactory.Listen(EndPoint, Options);
                _loop.Forget(this);
                _isHungUp = false;
                if (TryWatch(socket) != 0)
                {
                    socket.Dispose();
                    return false;
                }

                (_socket, _isDead) = (socket, false);
            }
            catch (Exception)
            {
                // Whatever it is, of the system or of who makes the socket: it is tried again.
                return false;
            }
        }

        Log.Rebound(_logger, EndPoint);
        Options.ListenerChanged?.Invoke(null);
        return true;
    }

    private bool TryWatch(int descriptor, in RemoteName remote, [NotNullWhen(true)] out DirectConnection? connection)
    {
        var loop = Loops.Next();
        try
        {
            connection = new DirectConnection(descriptor, remote, loop, this);
            if (loop.TryWatch(descriptor, ConnectionEvents, connection) == 0)
                return true;
        }
        catch (OutOfMemoryException)
        {
            // An exception would end the accept loop for good.
        }

        Interlocked.Increment(ref _broken);
        _ = Libc.Close(descriptor);
        connection = null;
        return false;
    }

    /// <summary>Out of descriptors or memory: says so once, and lets those that wait know, with the descriptor that was kept for it.</summary>
    private void Shed(int error)
    {
        NoteShort($"{Marshal.GetPInvokeErrorMessage(error)}. Raise the limit of open files, or lower the cap on connections");
        if (error != Errno.TableOfProcessFull) return;
        CloseReserve();
        for (var i = 0; i < MaxAcceptsPerTurn && Accept(out _) is { Descriptor: >= 0 and var descriptor }; i++)
        {
            Interlocked.Increment(ref _broken);
            Libc.SetReset(descriptor);
            _ = Libc.Close(descriptor);
        }

        Interlocked.Exchange(ref _reserve, OpenReserve());
        // The unbinding may have come before it.
        if (Volatile.Read(ref _isUnbound)) CloseReserve();
    }

    private void NoteShort(string reason)
    {
        if (_isShort)
            return;
        _isShort = true;
        if (_toldOfShort is { } told && TimeProvider.System.GetElapsedTime(told) < LogInterval)
            return;
        (_toldOfShort, _hasToldOfShort) = (TimeProvider.System.GetTimestamp(), true);
        Log.Short(_logger, EndPoint, reason);
    }

    private void NoteAccepted()
    {
        _isShort = false;
        if (!_hasToldOfShort)
            return;
        _hasToldOfShort = false;
        Log.Recovered(_logger, EndPoint);
    }

    private static int OpenReserve() => Libc.Open("/dev/null", Libc.CloseOnExec);

    private void CloseReserve()
    {
        if (Interlocked.Exchange(ref _reserve, -1) is >= 0 and var reserve) _ = Libc.Close(reserve);
    }

    private static partial class Log
    {
        [LoggerMessage(1110, LogLevel.Error, "{EndPoint} cannot accept: {Reason}. Connections wait in the backlog, and it tries again by itself", EventName = "AcceptShort")]
        public static partial void Short(ILogger logger, EndPoint endPoint, string reason);

        [LoggerMessage(1111, LogLevel.Information, "{EndPoint} accepts again", EventName = "AcceptRecovered")]
        public static partial void Recovered(ILogger logger, EndPoint endPoint);

        [LoggerMessage(1112, LogLevel.Critical, "The listener of {EndPoint} failed: {Reason}. It is bound again as soon as that can be had", EventName = "ListenerDied")]
        public static partial void Dead(ILogger logger, EndPoint endPoint, string reason);

        [LoggerMessage(1114, LogLevel.Information, "The listener of {EndPoint} is bound again", EventName = "ListenerRebound")]
        public static partial void Rebound(ILogger logger, EndPoint endPoint);

        [LoggerMessage(1113, LogLevel.Error, "A callback of ConnectionClosed threw", EventName = "ClosedCallbackThrew")]
        public static partial void CallbackThrew(ILogger logger, Exception exception);
    }
}

using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.Transport.Connections;
using Perch.Transport.Loops;
using Perch.Transport.Native;

namespace Perch.Transport;

/// <summary>
/// A listening socket. Its loop hears of connections; each is accepted when somebody asks for one, what nobody asked for
/// stays in the system's backlog, and goes to the next loop in turn.
/// </summary>
internal sealed partial class DirectListener : IConnectionListener, IEventSource, IValueTaskSource<ConnectionContext?>
{
    /// <summary>What is accepted before others have their turn.</summary>
    private const int MaxAcceptsPerTurn = 64;

    private const uint ConnectionEvents = Epoll.Readable | Epoll.Writable | Epoll.PeerHangUp | Epoll.Urgent | Epoll.EdgeTriggered;

    private static readonly TimeSpan BackOff = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Socket _socket;
    private readonly SafeSocketHandle _handle;
    private readonly Loop _loop;
    private readonly ILogger _logger;
    private ManualResetValueTaskSourceCore<ConnectionContext?> _source;
    private CancellationTokenRegistration _registration;
    private int _reserve;
    private int _accepted;
    private long _broken;
    private bool _hasNews = true;
    private bool _isWaiting;
    private bool _isShort;
    private bool _hasReminder;
    private bool _isUnbound;

    public DirectListener(Socket socket, DirectTransportOptions options, LoopGroup loops, ILogger logger)
    {
        (_socket, _handle, Options, Loops, _logger) = (socket, socket.SafeHandle, options, loops, logger);
        EndPoint = socket.LocalEndPoint!;
        IsTcp = EndPoint is IPEndPoint;
        Holds = new(options.Name ?? EndPoint.ToString()!, options.LoopHeld, logger, TimeProvider.System);
        _loop = loops.Next();
        _reserve = OpenReserve();
        if (_loop.TryWatch((int)_handle.DangerousGetHandle(), Epoll.Readable | Epoll.EdgeTriggered, this) is not 0 and var error) throw new Win32Exception(error);
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

    public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<ConnectionContext?>(cancellationToken);
        if (_accepted >= MaxAcceptsPerTurn)
        {
            _accepted = 0;
            lock (_lock)
            {
                if (_isUnbound) return new((ConnectionContext?)null);
                _source.Reset();
            }

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

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        bool wasWaiting;
        lock (_lock)
        {
            if (_isUnbound) return ValueTask.CompletedTask;
            _isUnbound = true;
            (wasWaiting, _isWaiting) = (_isWaiting, false);
        }

        var isHeld = false;
        try
        {
            _handle.DangerousAddRef(ref isHeld);
            _loop.Unwatch((int)_handle.DangerousGetHandle(), this);
        }
        finally
        {
            if (isHeld) _handle.DangerousRelease();
        }

        _socket.Dispose();
        CloseReserve();
        if (wasWaiting) _loop.Post(this, LoopWork.Accept);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => UnbindAsync();

    public void OnEvents(uint events) => Resume();

    public void OnWork(LoopWork work)
    {
        if (work != LoopWork.Remind)
        {
            Continue();
        }
        else if (!_hasReminder)
        {
            _hasReminder = true;
            _loop.Remind(this, BackOff);
        }
    }

    /// <summary>Descriptors may have come free.</summary>
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
    /// <exception cref="SocketException">The socket is dead.</exception>
    private bool AcceptOrWait(out DirectConnection? connection)
    {
        connection = null;
        while (true)
        {
            lock (_lock)
            {
                if (_isUnbound) return true;
                if (!_hasNews)
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
        while (true)
        {
            var (descriptor, error) = Accept(out var remote);
            if (descriptor >= 0)
            {
                if (_isShort)
                {
                    _isShort = false;
                    Log.Recovered(_logger, EndPoint);
                }

                if (TryWatch(descriptor, remote, out connection)) return Attempt.Accepted;
                continue;
            }

            switch (error)
            {
                case Errno.TryAgain:
                    return Attempt.Nothing;
                case Errno.TableOfProcessFull or Errno.TableOfSystemFull or Errno.NoBufferSpace or Errno.OutOfMemory:
                    Shed(error);
                    return Attempt.Later;
                case Errno.Interrupted:
                    continue;
                // What was wrong with that connection, as accept(2) lists it.
                case Errno.ConnectionAborted or Errno.NotPermitted or Errno.ProtocolError or Errno.NoProtocolOption or Errno.NotSupported or Errno.TimedOut
                    or Errno.NetworkDown or Errno.NetworkUnreachable or Errno.HostDown or Errno.HostUnreachable or Errno.NoNetworkOfMachine:
                    Interlocked.Increment(ref _broken);
                    continue;
                default:
                    lock (_lock)
                    {
                        if (_isUnbound) return Attempt.Nothing;
                    }

                    Log.Dead(_logger, EndPoint, Marshal.GetPInvokeErrorMessage(error));
                    throw new SocketException((int)SocketError.SocketError, $"The listener of {EndPoint} failed: {Marshal.GetPInvokeErrorMessage(error)}");
            }
        }
    }

    private unsafe (int Descriptor, int Error) Accept(out IPEndPoint? remote)
    {
        remote = null;
        var isHeld = false;
        try
        {
            _handle.DangerousAddRef(ref isHeld);
            var name = stackalloc byte[SocketName.MaxLength];
            uint length = SocketName.MaxLength;
            var descriptor = Libc.Accept((int)_handle.DangerousGetHandle(), name, &length, Libc.NonBlocking | Libc.CloseOnExec);
            if (descriptor < 0) return (-1, Marshal.GetLastPInvokeError());
            if (IsTcp) remote = SocketName.Read(new(name, (int)Math.Min(length, SocketName.MaxLength)));
            return (descriptor, 0);
        }
        catch (ObjectDisposedException)
        {
            return (-1, Errno.BadDescriptor);
        }
        finally
        {
            if (isHeld) _handle.DangerousRelease();
        }
    }

    private bool TryWatch(int descriptor, IPEndPoint? remote, [NotNullWhen(true)] out DirectConnection? connection)
    {
        var loop = Loops.Next();
        connection = new DirectConnection(descriptor, remote, loop, this);
        if (loop.TryWatch(descriptor, ConnectionEvents, connection) == 0) return true;
        Interlocked.Increment(ref _broken);
        _ = Libc.Close(descriptor);
        connection = null;
        return false;
    }

    /// <summary>Out of descriptors or memory: says so once, and lets the one that waits longest know, with the descriptor that was kept for it.</summary>
    private void Shed(int error)
    {
        if (!_isShort)
        {
            _isShort = true;
            Log.Short(_logger, EndPoint, Marshal.GetPInvokeErrorMessage(error), BackOff.TotalMilliseconds);
        }

        if (error != Errno.TableOfProcessFull) return;
        CloseReserve();
        var (descriptor, _) = Accept(out _);
        if (descriptor >= 0)
        {
            Interlocked.Increment(ref _broken);
            Libc.SetReset(descriptor);
            _ = Libc.Close(descriptor);
        }

        _reserve = OpenReserve();
    }

    private static int OpenReserve() => Libc.Open("/dev/null", Libc.CloseOnExec);

    private void CloseReserve()
    {
        if (Interlocked.Exchange(ref _reserve, -1) is >= 0 and var reserve) _ = Libc.Close(reserve);
    }

    private static partial class Log
    {
        [LoggerMessage(1110, LogLevel.Error, "{EndPoint} cannot accept: {Reason}. It tries again every {Milliseconds} ms; raise the limit of open files, or lower the cap on connections", EventName = "AcceptShort")]
        public static partial void Short(ILogger logger, EndPoint endPoint, string reason, double milliseconds);

        [LoggerMessage(1111, LogLevel.Information, "{EndPoint} accepts again", EventName = "AcceptRecovered")]
        public static partial void Recovered(ILogger logger, EndPoint endPoint);

        [LoggerMessage(1112, LogLevel.Critical, "The listener of {EndPoint} failed: {Reason}", EventName = "ListenerDied")]
        public static partial void Dead(ILogger logger, EndPoint endPoint, string reason);

        [LoggerMessage(1113, LogLevel.Error, "A callback of ConnectionClosed threw", EventName = "ClosedCallbackThrew")]
        public static partial void CallbackThrew(ILogger logger, Exception exception);
    }
}

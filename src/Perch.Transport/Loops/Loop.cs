using System.Collections.Concurrent;
using System.ComponentModel;
using Microsoft.Extensions.Logging;
using Perch.Linux;
using Perch.Transport.Buffers;
using Perch.Transport.Timers;

namespace Perch.Transport.Loops;

/// <summary>
/// A thread that waits for its descriptors and runs what becomes ready, to the next await, one after the other. What other
/// threads have for it comes through a queue, and an eventfd wakes it where it sleeps.
/// </summary>
internal sealed partial class Loop : IDisposable
{
    /// <summary>Reminders that the loop keeps for reuse; further ones are left to the garbage collector.</summary>
    private const int MaxFreeReminders = 1024;

    private const ulong WakeKey = 0;

    /// <summary>Of a source, for the cache.</summary>
    private const int SourceBytes = 176;

    private readonly ILogger _logger;
    private readonly LoopWatch _watch;
    private readonly SourceTable _sources = new();
    private readonly ConcurrentQueue<(IEventSource Source, LoopWork Work)> _work = new();
    private readonly Stack<Reminder> _freeReminders = new();
    private readonly Lock _endLock = new();
    private readonly Epoll _epoll = new();
    private readonly Thread _thread;
    private readonly int _wake;
    private int _threadId;
    private int _isAsleep;
    private volatile bool _isEnding;
    private volatile bool _hasEnded;
    private IEventSource? _serving;
    private long _turn;
    private long _waits;

    public Loop(int index, SharedBlocks shared, LoopWatch watch, ILogger logger)
    {
        (_logger, _watch) = (logger, watch);
        Blocks = new(shared);
        Timers = new(TimeProvider.System, WakeForTimer, Report);
        _wake = Libc.EventDescriptor(0, Libc.CloseOnExec | Libc.NonBlocking);
        if (_wake < 0) throw new Win32Exception();
        // Edge triggered, so that it need not be read: each write is news.
        if (_epoll.TryAdd(_wake, Epoll.Readable | Epoll.EdgeTriggered, WakeKey) is not 0 and var error) throw new Win32Exception(error);
        _thread = new(Run) { IsBackground = true, Name = $"Perch loop {index}" };
        _thread.UnsafeStart();
    }

    public BlockPool Blocks { get; }

    /// <summary>Timers of the connections of the loop; the loop's thread calls them.</summary>
    public TimerWheel Timers { get; }

    public bool IsOnThread => Environment.CurrentManagedThreadId == _threadId;

    /// <summary>Descriptors that it watches.</summary>
    public int SourceCount => _sources.Count;

    /// <summary>What is being served, for the watch; null while it waits for news.</summary>
    public IEventSource? Serving => Volatile.Read(ref _serving);

    /// <summary>Goes up with each source that is served.</summary>
    public long Turn => Volatile.Read(ref _turn);

    /// <summary>Number of times that the thread has waited for events.</summary>
    public long Waits => Volatile.Read(ref _waits);

    /// <summary>Watches a descriptor; events may come before the call returns. From any thread.</summary>
    /// <returns>0, or errno: it is not watched then.</returns>
    public int TryWatch(int descriptor, uint events, IEventSource source)
    {
        // Either it is there when the sources are told of the end, or it is refused.
        lock (_endLock)
        {
            if (_hasEnded) return Errno.BadDescriptor;
            _sources.Add(source);
            var error = _epoll.TryAdd(descriptor, events, source.Key);
            if (error != 0) _sources.Remove(source);
            return error;
        }
    }

    /// <summary>Watches a descriptor of its own for other events, from any thread; what is there already is news.</summary>
    /// <returns>0, or errno: it is watched as before.</returns>
    public int TryWatchFor(int descriptor, uint events, IEventSource source)
    {
        lock (_endLock) return _hasEnded ? Errno.BadDescriptor : _epoll.TryModify(descriptor, events, source.Key);
    }

    /// <summary>Forgets a source whose descriptor is closed, or about to be.</summary>
    public void Forget(IEventSource source) => _sources.Remove(source);

    /// <summary>For a descriptor that outlives its being watched.</summary>
    public void Unwatch(int descriptor, IEventSource source)
    {
        _sources.Remove(source);
        lock (_endLock)
        {
            if (!_hasEnded) _epoll.Remove(descriptor);
        }
    }

    /// <summary>Has the source's <see cref="IEventSource.OnWork"/> called on the next turn. From any thread.</summary>
    public void Post(IEventSource source, LoopWork work)
    {
        if (_hasEnded)
        {
            // Nobody is left to run it in order: what ends a connection still has to happen.
            ThreadPool.UnsafeQueueUserWorkItem(static item => item.Source.OnWork(item.Work), (Source: source, Work: work), preferLocal: false);
            return;
        }

        _work.Enqueue((source, work));
        if (!IsOnThread) WakeIfAsleep();
        if (_hasEnded) DrainAfterEnd();
    }

    /// <summary>
    /// Has <see cref="IEventSource.OnReminder"/> called when the time has passed, unless the source is gone by then. On the loop's thread.
    /// </summary>
    public void Remind(IEventSource source, TimeSpan after)
    {
        if (!_freeReminders.TryPop(out var reminder))
            reminder = new(this);
        reminder.Key = source.Key;
        reminder.Start(after);
    }

    public void Dispose()
    {
        _isEnding = true;
        WakeIfAsleep();
        if (!IsOnThread) _thread.Join();
    }

    /// <summary>A timer is due before the thread would wake up.</summary>
    private void WakeForTimer()
    {
        if (!IsOnThread)
            WakeIfAsleep();
    }

    private unsafe void WakeIfAsleep()
    {
        // The fence between the queue and the flag is Exchange's.
        if (Interlocked.Exchange(ref _isAsleep, 0) == 0) return;
        var one = 1L;
        // The number may be another file's once it is closed.
        lock (_endLock)
        {
            if (!_hasEnded) _ = Libc.Write(_wake, &one, sizeof(long));
        }
    }

    private void Run()
    {
        _threadId = Environment.CurrentManagedThreadId;
        Blocks.OwnByThisThread();
        try
        {
            while (!_isEnding)
            {
                var count = _epoll.Wait(BeforeSleep());
                Volatile.Write(ref _waits, _waits + 1);
                Volatile.Write(ref _isAsleep, 0);
                for (var i = 0; i < count; i++)
                {
                    Foresee(i + 1, count);
                    Dispatch(i);
                }

                RunWork();
                Timers.RunDue();
                Volatile.Write(ref _serving, null);
            }
        }
        catch (Exception exception)
        {
            Log.Failed(_logger, exception);
        }

        Volatile.Write(ref _serving, null);
        End();
    }

    /// <summary>Two writes and a read: a handler that holds the loop has to be found by another thread.</summary>
    private void Begin(IEventSource source)
    {
        Volatile.Write(ref _turn, _turn + 1);
        Volatile.Write(ref _serving, source);
        if (_watch.IsAsleep) _watch.Wake();
    }

    /// <returns>How long it may sleep: not at all where something waits in the queue.</returns>
    private int BeforeSleep()
    {
        if (!_work.IsEmpty) return 0;
        Interlocked.Exchange(ref _isAsleep, 1);
        if (!_work.IsEmpty || _isEnding) return 0;
        return Timers.MillisecondsToNext();
    }

    /// <summary>
    /// Of many connections none is in the cache when its turn comes. Each is fetched while those before it are served, which takes
    /// longer: a step for what is reached over each pointer.
    /// </summary>
    private void Foresee(int next, int count)
    {
        if (next < count) _sources.Peek(_epoll[next].Key)?.Prefetch();
        if (next + 1 < count) _sources.Peek(_epoll[next + 1].Key)?.PrefetchParts();
        if (next + 2 < count) Cache.Prefetch(_sources.Peek(_epoll[next + 2].Key), SourceBytes);
    }

    private void Dispatch(int index)
    {
        var (events, key) = _epoll[index];
        if (key == WakeKey || _sources.Find(key) is not { } source) return;
        Begin(source);
        try
        {
            source.OnEvents(events);
        }
        catch (Exception exception)
        {
            Report(exception);
        }
    }

    /// <remarks>What is put there meanwhile waits for the next turn, so that ready descriptors come in between.</remarks>
    private void RunWork()
    {
        for (var left = _work.IsEmpty ? 0 : _work.Count; left > 0 && _work.TryDequeue(out var item); left--) RunItem(item.Source, item.Work);
    }

    private void RunItem(IEventSource source, LoopWork work)
    {
        // Whoever comes after the loop's end is not on it.
        if (!_hasEnded) Begin(source);
        try
        {
            source.OnWork(work);
        }
        catch (Exception exception)
        {
            Report(exception);
        }
    }

    /// <remarks>The log needs memory too: if there is none, the line is lost and the loop continues.</remarks>
    private void Report(Exception exception)
    {
        try
        {
            Log.Threw(_logger, exception);
        }
        catch (OutOfMemoryException)
        {
            // See above.
        }
    }

    internal void RunReminder(Reminder reminder)
    {
        if (_freeReminders.Count < MaxFreeReminders)
            _freeReminders.Push(reminder);
        if (_sources.Find(reminder.Key) is not { } source)
            return;
        Begin(source);
        source.OnReminder();
    }

    private void End()
    {
        lock (_endLock) _hasEnded = true;
        foreach (var source in _sources.All()) source.OnLoopEnded();
        DrainAfterEnd();
        _epoll.Dispose();
        _ = Libc.Close(_wake);
    }

    private void DrainAfterEnd()
    {
        while (_work.TryDequeue(out var item)) RunItem(item.Source, item.Work);
    }

    private static partial class Log
    {
        [LoggerMessage(1100, LogLevel.Critical, "A loop of the transport ended by an error: its connections are lost", EventName = "LoopFailed")]
        public static partial void Failed(ILogger logger, Exception exception);

        [LoggerMessage(1101, LogLevel.Error, "A callback of the transport threw", EventName = "LoopCallbackThrew")]
        public static partial void Threw(ILogger logger, Exception exception);
    }
}

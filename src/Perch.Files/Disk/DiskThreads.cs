using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Perch.Files.Disk;

/// <summary>
/// The threads that wait for the disk. A disk that hangs holds these and no thread of the pool, so every other protocol
/// goes on; what is asked meanwhile waits in order.
/// </summary>
internal sealed class DiskThreads : IDisposable
{
    private readonly Queue<DiskWork> _jobs = new();
    private readonly Lazy<List<Thread>> _threads;
    private readonly TimeSpan _limit;
    private readonly TimeProvider _time;
    private bool _isClosed;

    /// <param name="count">How many; they start with the first job.</param>
    /// <param name="limit">How long <see cref="RunAsync{T}"/> waits for the disk; zero for as long as it takes.</param>
    /// <param name="time">The clock of the limit.</param>
    public DiskThreads(int count, TimeSpan limit, TimeProvider time)
    {
        (_limit, _time) = (limit > TimeSpan.Zero ? limit : Timeout.InfiniteTimeSpan, time);
        _threads = new(() => Start(count));
    }

    /// <exception cref="FileStoreException">The store is closed.</exception>
    public void Enqueue(DiskWork job)
    {
        _ = _threads.Value;
        lock (_jobs)
        {
            if (_isClosed) throw FileStoreException.Unavailable("The store is closed.");
            _jobs.Enqueue(job);
            Monitor.Pulse(_jobs);
        }
    }

    /// <param name="work">What is to be done.</param>
    /// <param name="late">
    /// Called in the end, on a thread of these, where nobody waits any more: with what the work came to, or the default where it
    /// failed or was not begun, which it is not any more then.
    /// </param>
    /// <exception cref="FileStoreException"><c>unavailable</c>: the disk did not answer in time. What was begun may still be done.</exception>
    public async Task<T> RunAsync<T>(Func<T> work, Action<T?>? late = null)
    {
        var job = new FunctionJob<T>(work, late);
        var done = job.StartAsync(this).AsTask();
        try
        {
            await done.WaitAsync(_limit, _time);
        }
        catch (TimeoutException) when (job.TryLeave())
        {
            throw FileStoreException.Unavailable($"The disk has not answered for {_limit.TotalSeconds:0.#} s (Perch:Files:DiskTimeout)", isLate: true);
        }

        await done;
        return job.Value!;
    }

    public Task RunAsync(Action work, Action? late = null) => RunAsync(
        () =>
        {
            work();
            return true;
        },
        late is null ? null : _ => late());

    /// <summary>Closes a file that may be the last of its bytes: the system frees them then, which takes a while for a large one.</summary>
    public void Close(SafeFileHandle file)
    {
        try
        {
            Enqueue(new CloseJob(file));
        }
        catch (FileStoreException)
        {
            // The store is closed.
            file.Dispose();
        }
    }

    /// <summary>What was asked before is done first; a thread that the disk holds is left to it.</summary>
    public void Dispose()
    {
        lock (_jobs)
        {
            _isClosed = true;
            Monitor.PulseAll(_jobs);
        }

        if (!_threads.IsValueCreated) return;
        foreach (var thread in _threads.Value) thread.Join(TimeSpan.FromSeconds(5));
    }

    private List<Thread> Start(int count)
    {
        var threads = Enumerable.Range(0, count).Select(i => new Thread(Run) { IsBackground = true, Name = $"Perch files {i}" }).ToList();
        threads.ForEach(thread => thread.Start());
        return threads;
    }

    private void Run()
    {
        while (Take() is { } job) job.Run();
    }

    /// <remarks>A monitor and no <c>BlockingCollection</c>: that one spins before it sleeps, on every thread, behind every job.</remarks>
    private DiskWork? Take()
    {
        lock (_jobs)
        {
            while (true)
            {
                if (_jobs.TryDequeue(out var job)) return job;
                if (_isClosed) return null;
                Monitor.Wait(_jobs);
            }
        }
    }

    private sealed class CloseJob(SafeFileHandle file) : DiskJob
    {
        protected override int Execute()
        {
            file.Dispose();
            return 0;
        }
    }

    private sealed class FunctionJob<T>(Func<T> work, Action<T?>? late) : DiskJob
    {
        private const int Begun = 1;
        private const int Done = 2;
        private const int Left = 3;

        private int _state;

        public T? Value { get; private set; }

        /// <summary>Nobody waits for it any more.</summary>
        /// <returns>False where it is done.</returns>
        public bool TryLeave() => Interlocked.CompareExchange(ref _state, Left, 0) == 0 || Interlocked.CompareExchange(ref _state, Left, Begun) == Begun;

        protected override int Execute()
        {
            try
            {
                if (Interlocked.CompareExchange(ref _state, Begun, 0) == 0) Value = work();
            }
            finally
            {
                if (Interlocked.CompareExchange(ref _state, Done, Begun) == Left) late?.Invoke(Value);
            }

            return 0;
        }
    }
}

/// <summary>Something for the disk's threads to do.</summary>
internal abstract class DiskWork
{
    /// <remarks>Nobody is there who would catch what it throws.</remarks>
    public abstract void Run();
}

/// <summary>One piece of work for the disk's threads, used again by its owner when it is done.</summary>
internal abstract class DiskJob : DiskWork, IValueTaskSource<int>
{
    private ManualResetValueTaskSourceCore<int> _result = new() { RunContinuationsAsynchronously = true };

    public ValueTask<int> StartAsync(DiskThreads threads)
    {
        _result.Reset();
        threads.Enqueue(this);
        return new(this, _result.Version);
    }

    public override void Run()
    {
        try
        {
            _result.SetResult(Execute());
        }
        catch (IOException exception)
        {
            _result.SetException(DiskError.Of(exception, "the disk"));
        }
        catch (Exception exception)
        {
            _result.SetException(exception);
        }
    }

    int IValueTaskSource<int>.GetResult(short token) => _result.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _result.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _result.OnCompleted(continuation, state, token, flags);

    protected abstract int Execute();
}

using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Perch.Protocols.Files.Disk;

/// <summary>
/// The threads that wait for the disk. A disk that hangs holds these and no thread of the pool, so every other protocol
/// goes on; what is asked meanwhile waits in order.
/// </summary>
internal sealed class DiskThreads : IDisposable
{
    private readonly Queue<DiskJob> _jobs = new();
    private bool _isClosed;
    private readonly Lazy<List<Thread>> _threads;

    /// <param name="count">How many; they start with the first job.</param>
    public DiskThreads(int count) => _threads = new(() => Start(count));

    /// <exception cref="FileStoreException">The store is closed.</exception>
    public void Enqueue(DiskJob job)
    {
        _ = _threads.Value;
        lock (_jobs)
        {
            if (_isClosed) throw FileStoreException.Unavailable("The store is closed.");
            _jobs.Enqueue(job);
            Monitor.Pulse(_jobs);
        }
    }

    public async Task<T> RunAsync<T>(Func<T> work)
    {
        var job = new FunctionJob<T>(work);
        await job.StartAsync(this);
        return job.Value!;
    }

    public Task RunAsync(Action work) => RunAsync(() =>
    {
        work();
        return true;
    });

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
    private DiskJob? Take()
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

    private sealed class FunctionJob<T>(Func<T> work) : DiskJob
    {
        public T? Value { get; private set; }

        protected override int Execute()
        {
            Value = work();
            return 0;
        }
    }
}

/// <summary>One piece of work for the disk's threads, used again by its owner when it is done.</summary>
internal abstract class DiskJob : IValueTaskSource<int>
{
    private ManualResetValueTaskSourceCore<int> _result = new() { RunContinuationsAsynchronously = true };

    public ValueTask<int> StartAsync(DiskThreads threads)
    {
        _result.Reset();
        threads.Enqueue(this);
        return new(this, _result.Version);
    }

    public void Run()
    {
        try
        {
            _result.SetResult(Execute());
        }
        catch (IOException exception)
        {
            _result.SetException(Posix.Error(exception, "the disk"));
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

using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;

namespace Perch.Protocols.Files.Disk;

/// <summary>
/// The threads that wait for the disk. A disk that hangs holds these and no thread of the pool, so every other protocol
/// goes on; what is asked meanwhile waits in order.
/// </summary>
internal sealed class DiskThreads : IDisposable
{
    private readonly BlockingCollection<DiskJob> _jobs = [];
    private readonly Lazy<List<Thread>> _threads;

    /// <param name="count">How many; they start with the first job.</param>
    public DiskThreads(int count) => _threads = new(() => Start(count));

    /// <exception cref="FileStoreException">The store is closed.</exception>
    public void Enqueue(DiskJob job)
    {
        _ = _threads.Value;
        try
        {
            _jobs.Add(job);
        }
        catch (InvalidOperationException)
        {
            throw FileStoreException.Unavailable("The store is closed.");
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

    /// <summary>What was asked before is done first; a thread that the disk holds is left to it.</summary>
    public void Dispose()
    {
        _jobs.CompleteAdding();
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
        foreach (var job in _jobs.GetConsumingEnumerable()) job.Run();
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

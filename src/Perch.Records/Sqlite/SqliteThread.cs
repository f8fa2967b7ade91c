using System.Collections.Concurrent;

namespace Perch.Records.Sqlite;

/// <summary>The thread that all writing is done on, in the order in which it was asked for: SQLite blocks, and the pool's threads must not.</summary>
internal sealed class SqliteThread : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly BlockingCollection<Action> _work = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SqliteThread() => new Thread(Run) { IsBackground = true, Name = "Perch records" }.Start();

    /// <param name="work">Run on the thread.</param>
    /// <param name="cancellationToken">Counts until it begins; what has begun is finished.</param>
    public Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellationToken)
    {
        // What follows runs here: the writer's next step is a few microseconds, a hop to the pool and back as many tens.
        var done = new TaskCompletionSource<T>();
        try
        {
            _work.Add(() => Run(work, done, cancellationToken), CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            done.SetException(new ObjectDisposedException(nameof(SqliteThread)));
        }
        return done.Task;
    }

    /// <summary>Returns when all that was asked for is done, or the disk has not answered for a while: the process may end then.</summary>
    public async ValueTask DisposeAsync()
    {
        _work.CompleteAdding();
        await Task.WhenAny(_ended.Task, Task.Delay(Patience));
    }

    private static void Run<T>(Func<T> work, TaskCompletionSource<T> done, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            done.SetCanceled(cancellationToken);
            return;
        }
        try
        {
            done.SetResult(work());
        }
        catch (Exception exception)
        {
            done.SetException(exception);
        }
    }

    private void Run()
    {
        foreach (var work in _work.GetConsumingEnumerable()) work();
        _work.Dispose();
        _ended.SetResult();
    }
}

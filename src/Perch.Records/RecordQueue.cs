using System.Threading.Tasks.Sources;

namespace Perch.Records;

/// <summary>
/// Batches on their way to the store, in the order of their arrival, bounded by records and by bytes. A batch counts from
/// the moment it is queued until its commit is done; one that is larger than the bound is let in alone.
/// </summary>
internal sealed class RecordQueue(int maxRecords, long maxBytes) : IValueTaskSource
{
    private readonly Lock _lock = new();
    private readonly Queue<RecordBatch> _batches = new();
    private readonly Queue<Waiter> _waiting = new();
    /// <summary>Whoever queues goes on as the writer until the store waits: a record has one thread less to wake.</summary>
    private ManualResetValueTaskSourceCore<bool> _signal;
    private bool _isWaitedFor;
    private bool _isWoken;
    private long _records;
    private long _bytes;
    private long _held;

    /// <summary>Records that are queued or being committed.</summary>
    public long Records => Volatile.Read(ref _records);

    /// <summary>Bytes that are queued or being committed.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Bytes of memory that batches hold which are queued, being committed, or waiting for room in the queue.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>When the batch at the head was queued, in ticks of the time provider; 0 where there is none.</summary>
    public long HeadQueuedAt
    {
        get
        {
            lock (_lock) return _batches.TryPeek(out var head) ? head.QueuedAt : 0;
        }
    }

    /// <summary>Whether so much would be let in now, for those who cannot wait.</summary>
    public bool HasRoom(int records, long bytes) => Records + records <= maxRecords && Bytes + bytes <= maxBytes;

    /// <summary>Queues the batch; waits while the queue is full.</summary>
    /// <exception cref="OperationCanceledException">It was not queued.</exception>
    public async ValueTask EnqueueAsync(RecordBatch batch, CancellationToken cancellationToken)
    {
        var (waiter, isWaitedFor) = (default(Waiter), false);
        batch.QueuedBytes = batch.Held;
        lock (_lock)
        {
            _held += batch.QueuedBytes;
            if (_waiting.Count == 0 && HasRoomFor(batch))
            {
                Enter(batch);
                isWaitedFor = TakeWait();
            }
            else
            {
                waiter = new(this, batch);
                _waiting.Enqueue(waiter);
            }
        }

        if (isWaitedFor) _signal.SetResult(true);
        if (waiter is null) return;
        await using (cancellationToken.UnsafeRegister(static waiter => ((Waiter)waiter!).Cancel(), waiter))
        {
            if (!await waiter.Task) throw new OperationCanceledException(cancellationToken);
        }
    }

    /// <summary>Ends when there is a batch to take, or with <see cref="Wake"/>. For one at a time; it allocates nothing.</summary>
    public ValueTask WaitAsync()
    {
        lock (_lock)
        {
            if (_batches.Count > 0) return ValueTask.CompletedTask;
            if (_isWoken)
            {
                _isWoken = false;
                return ValueTask.CompletedTask;
            }

            _signal.Reset();
            _isWaitedFor = true;
            return new(this, _signal.Version);
        }
    }

    /// <summary>Ends the wait, or the next one.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            if (!TakeWait())
            {
                _isWoken = true;
                return;
            }
        }

        _signal.SetResult(true);
    }

    /// <summary>Takes the batches at the head, at least one where there is one, and no more than the limits allow.</summary>
    public void Take(List<RecordBatch> group, int records, int bytes)
    {
        lock (_lock)
        {
            while (_batches.TryPeek(out var batch) && (group.Count == 0 || (batch.Count <= records && batch.Bytes <= bytes)))
            {
                group.Add(_batches.Dequeue());
                records -= batch.Count;
                bytes -= batch.Bytes;
            }
        }
    }

    /// <summary>Makes room: these records are stored, or are not going to be.</summary>
    /// <param name="records">Number of the records.</param>
    /// <param name="bytes">Bytes of the records.</param>
    /// <param name="held">Bytes of memory of their batches (<see cref="RecordBatch.QueuedBytes"/>).</param>
    public void Release(long records, long bytes, long held = 0)
    {
        bool isWaitedFor;
        lock (_lock)
        {
            _records -= records;
            _bytes -= bytes;
            _held -= held;
            while (_waiting.TryPeek(out var next) && (next.Batch is null || HasRoomFor(next.Batch)))
            {
                _waiting.Dequeue();
                if (next.Batch is not { } batch)
                    continue;
                next.SetResult(true);
                Enter(batch);
            }

            isWaitedFor = _batches.Count > 0 && TakeWait();
        }

        if (isWaitedFor) _signal.SetResult(true);
    }

    void IValueTaskSource.GetResult(short token) => _signal.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);

    private bool HasRoomFor(RecordBatch batch) => _records == 0 || HasRoom(batch.Count, batch.Bytes);

    private void Enter(RecordBatch batch)
    {
        _records += batch.Count;
        _bytes += batch.Bytes;
        _batches.Enqueue(batch);
    }

    /// <returns>Whether somebody waits, who is now the caller's to wake, outside of the lock.</returns>
    private bool TakeWait()
    {
        var isWaitedFor = _isWaitedFor;
        _isWaitedFor = false;
        return isWaitedFor;
    }

    /// <summary>A batch that waits for room.</summary>
    private sealed class Waiter(RecordQueue queue, RecordBatch batch) : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        /// <summary>Null after the wait was cancelled: the memory of the batch is free then. Under the queue's lock.</summary>
        public RecordBatch? Batch { get; private set; } = batch;

        public void Cancel()
        {
            lock (queue._lock)
            {
                if (Task.IsCompleted || Batch is not { } batch)
                    return;
                queue._held -= batch.QueuedBytes;
                Batch = null;
            }

            SetResult(false);
        }
    }
}

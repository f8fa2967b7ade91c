using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>
/// A store in memory that does as it is told: it fails, or holds what it was asked until the test lets it go on. Ids
/// count from 1.
/// </summary>
internal sealed class FakeStore : IRecordStore
{
    private readonly Lock _lock = new();
    private readonly List<FakeRecord[][]> _groups = [];
    private readonly SemaphoreSlim _appending = new(0);
    private TaskCompletionSource? _gate;
    private TaskCompletionSource? _openGate;
    private long _lastId;

    private volatile Exception? _failure;
    private volatile Exception? _openFailure;
    private volatile Exception? _trimFailure;
    private volatile int _opens;
    private volatile int _probes;
    private volatile int _trims;
    private volatile int _appends;

    /// <summary>Thrown by the probe and by each append; null while the store works.</summary>
    public Exception? Failure { get => _failure; set => _failure = value; }

    /// <summary>Whether the probe finds what makes an append fail.</summary>
    public bool ProbeFails { get; set; } = true;

    /// <summary>Thrown by <see cref="OpenAsync"/>.</summary>
    public Exception? OpenFailure { get => _openFailure; set => _openFailure = value; }

    /// <summary>Thrown by <see cref="TrimAsync"/>.</summary>
    public Exception? TrimFailure { get => _trimFailure; set => _trimFailure = value; }

    public int Writers { get; init; } = 1;

    public bool IsShared => false;
    /// <summary>Called as a probe begins.</summary>
    public Action? Probing { get; set; }

    public int Opens => _opens;

    public int Probes => _probes;

    public int Trims => _trims;

    /// <summary>Appends that began.</summary>
    public int Appends => _appends;

    /// <summary>What is durable: transactions, their batches, the records of each.</summary>
    public FakeRecord[][][] Groups
    {
        get
        {
            lock (_lock) return [.. _groups];
        }
    }

    /// <summary>The texts of all that is durable, in order.</summary>
    public string[] Texts => [.. Groups.SelectMany(group => group).SelectMany(batch => batch).Select(record => record.Text)];

    /// <summary>Appends wait from now on.</summary>
    public void Hold() => _gate ??= new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Those that wait go on, and the next ones do not wait.</summary>
    public void Release() => Interlocked.Exchange(ref _gate, null)?.SetResult();

    /// <summary>Opening waits from now on.</summary>
    public void HoldOpen() => _openGate ??= new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void ReleaseOpen() => Interlocked.Exchange(ref _openGate, null)?.SetResult();

    /// <summary>One more append has begun.</summary>
    public Task AppendingAsync() => _appending.WaitAsync().Soon();

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _opens);
        if (_openGate is { } gate) await gate.Task;
        if (OpenFailure is { } failure) throw failure;
    }

    public async Task AppendAsync(IReadOnlyList<RecordBatch> batches, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _appends);
        var gate = _gate;
        _appending.Release();
        if (gate is not null) await gate.Task;
        if (Failure is { } failure) throw failure;
        lock (_lock) _groups.Add([.. batches.Select(Store)]);
    }

    public Task ProbeAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _probes);
        Probing?.Invoke();
        return ProbeFails && Failure is { } failure ? Task.FromException(failure) : Task.CompletedTask;
    }

    public Task<int> TrimAsync(int most, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _trims);
        return TrimFailure is { } failure ? Task.FromException<int>(failure) : Task.FromResult(0);
    }

    public IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<long> LastIdAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private FakeRecord[] Store(RecordBatch batch)
    {
        var records = new FakeRecord[batch.Count];
        for (var i = 0; i < records.Length; i++)
        {
            batch.SetId(i, ++_lastId);
            records[i] = new(batch.Endpoint, batch.RemoteOf(i), batch.ReceivedAt, System.Text.Encoding.UTF8.GetString(batch.Sender(i)), batch.Sequence(i), batch.Text(i));
        }

        return records;
    }
}

internal sealed record FakeRecord(string Endpoint, string Remote, DateTimeOffset ReceivedAt, string Sender, long Sequence, string Text);

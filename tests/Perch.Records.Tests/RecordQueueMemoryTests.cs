using System.Buffers;

namespace Perch.Records.Tests;

public sealed class RecordQueueMemoryTests
{
    private const int MessageBytes = 10_000;

    private readonly RecordQueue _queue = new(maxRecords: 1, maxBytes: 1_000_000);

    [Fact]
    public async Task Held_BatchesQueuedAndWaiting_IsTheirMemory()
    {
        var (first, second) = (NewBatch(), NewBatch());

        await _queue.EnqueueAsync(first, default);
        var waiting = _queue.EnqueueAsync(second, default).AsTask();

        Assert.False(waiting.IsCompleted);
        Assert.InRange(first.Held, MessageBytes, int.MaxValue);
        Assert.Equal(first.Held + second.Held, _queue.Held);
        Take(1);
        await waiting;
        Assert.Equal(second.Held, _queue.Held);
        Take(1);
        Assert.Equal(0, _queue.Held);
    }

    [Fact]
    public async Task Held_WaitIsCancelled_IsFreeAtOnceAndTheNextEnters()
    {
        using var leaving = new CancellationTokenSource();
        var (first, last) = (NewBatch(), NewBatch());
        await _queue.EnqueueAsync(first, default);
        var cancelled = _queue.EnqueueAsync(NewBatch(), leaving.Token).AsTask();
        var waiting = _queue.EnqueueAsync(last, default).AsTask();

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Equal(first.Held + last.Held, _queue.Held);
        Take(1);
        await waiting;
        Assert.Equal(last.Held, _queue.Held);
    }

    private static RecordBatch NewBatch()
    {
        var batch = new RecordBatch("records", "peer");
        batch.Clear(DateTimeOffset.UnixEpoch);
        batch.Add(new ReadOnlySequence<byte>(new byte[MessageBytes]), keyed: false);
        return batch;
    }

    /// <summary>Commits batches.</summary>
    private void Take(int records)
    {
        var group = new List<RecordBatch>();
        _queue.Take(group, records, int.MaxValue);
        _queue.Release(group.Sum(batch => batch.Count), group.Sum(batch => batch.Bytes), group.Sum(batch => batch.QueuedBytes));
    }
}

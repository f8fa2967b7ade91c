using Perch.Tests.Shared;

namespace Perch.Records.Tests;

public sealed class RecordQueueTests
{
    [Fact]
    public async Task EnqueueAsync_Room_EntersAtOnceInOrder()
    {
        var queue = new RecordQueue(10, 1000);
        var (a, b) = (Batches.Sized(4, 10), Batches.Sized(6, 20));
        Assert.True(Enqueue(queue, a).IsCompletedSuccessfully);
        Assert.True(Enqueue(queue, b).IsCompletedSuccessfully);
        Assert.Equal((10, 30), (queue.Records, queue.Bytes));
        Assert.Equal([a, b], Take(queue));
        Assert.Equal((10, 30), (queue.Records, queue.Bytes));
        queue.Release(10, 30);
        Assert.Equal((0, 0), (queue.Records, queue.Bytes));
        await Enqueue(queue, a).Soon();
    }

    [Theory]
    [InlineData(3, 1000)]
    [InlineData(1000, 30)]
    public async Task EnqueueAsync_Full_WaitsForRoom(int records, int bytes)
    {
        var queue = new RecordQueue(records, bytes);
        await Enqueue(queue, Batches.Sized(2, 20)).Soon();
        var second = Batches.Sized(2, 20);
        var waiting = Enqueue(queue, second);
        Assert.False(waiting.IsCompleted);
        Assert.Single(Take(queue));
        Assert.Empty(Take(queue));
        // Taken is not stored yet: the room is still in use.
        Assert.False(waiting.IsCompleted);
        queue.Release(2, 20);
        await waiting.Soon();
        Assert.Equal((2, 20), (queue.Records, queue.Bytes));
        Assert.Equal([second], Take(queue));
    }

    [Fact]
    public async Task EnqueueAsync_OneThatWouldFitBehindOneThatDoesNot_Waits()
    {
        var queue = new RecordQueue(4, 1000);
        await Enqueue(queue, Batches.Sized(3, 1)).Soon();
        var (large, small) = (Batches.Sized(2, 1), Batches.Sized(1, 1));
        var (first, second) = (Enqueue(queue, large), Enqueue(queue, small));
        Assert.False(first.IsCompleted || second.IsCompleted);
        Take(queue);
        queue.Release(3, 1);
        await Task.WhenAll(first, second).Soon();
        Assert.Equal([large, small], Take(queue));
    }

    [Theory]
    [InlineData(50, 10)]
    [InlineData(1, 5000)]
    public async Task EnqueueAsync_LargerThanTheBound_EntersAlone(int records, int bytes)
    {
        var queue = new RecordQueue(10, 1000);
        var large = Batches.Sized(records, bytes);
        await Enqueue(queue, Batches.Sized(1, 1)).Soon();
        var (entering, behind) = (Enqueue(queue, large), Enqueue(queue, Batches.Sized(1, 1)));
        Assert.False(entering.IsCompleted);
        Assert.Single(Take(queue));
        queue.Release(1, 1);
        await entering.Soon();
        Assert.Equal([large], Take(queue));
        Assert.False(behind.IsCompleted);
        queue.Release(records, bytes);
        await behind.Soon();
    }

    [Fact]
    public async Task Release_SeveralWait_WakesExactlyThoseThatFit()
    {
        var queue = new RecordQueue(4, 1000);
        await Enqueue(queue, Batches.Sized(2, 1)).Soon();
        await Enqueue(queue, Batches.Sized(2, 1)).Soon();
        Task[] waiting = [.. new[] { 1, 1, 1, 2 }.Select(records => Enqueue(queue, Batches.Sized(records, 1)))];
        Assert.Equal(2, Take(queue).Count);
        queue.Release(2, 1);
        await Task.WhenAll(waiting[0], waiting[1]).Soon();
        Assert.False(waiting[2].IsCompleted || waiting[3].IsCompleted);
        Assert.Equal((4, 3), (queue.Records, queue.Bytes));
        queue.Release(2, 1);
        await waiting[2].Soon();
        Assert.False(waiting[3].IsCompleted);
        queue.Release(1, 1);
        await waiting[3].Soon();
        Assert.Equal([1, 1, 1, 2], Take(queue).Select(batch => batch.Count));
    }

    [Fact]
    public async Task EnqueueAsync_CancelledWhileItWaits_DoesNotEnterLater()
    {
        var queue = new RecordQueue(2, 1000);
        await Enqueue(queue, Batches.Sized(2, 1)).Soon();
        using var leaving = new CancellationTokenSource();
        var cancelled = queue.EnqueueAsync(Batches.Of("cancelled"), leaving.Token).AsTask();
        var behind = Enqueue(queue, Batches.Of("behind"));
        await leaving.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => cancelled.Soon());
        Assert.Single(Take(queue));
        queue.Release(2, 1);
        await behind.Soon();
        Assert.Equal(["behind"], Take(queue).Select(batch => batch.Text(0)));
        Assert.Equal((1, 6), (queue.Records, queue.Bytes));
    }

    [Fact]
    public async Task EnqueueAsync_CancelledBefore_EntersOnlyWithoutWaiting()
    {
        var queue = new RecordQueue(1, 1000);
        await queue.EnqueueAsync(Batches.Of("a"), new(canceled: true)).AsTask().Soon();
        await Assert.ThrowsAsync<OperationCanceledException>(() => queue.EnqueueAsync(Batches.Of("b"), new(canceled: true)).AsTask().Soon());
        Assert.Single(Take(queue));
        queue.Release(1, 1);
        Assert.Equal((0, 0), (queue.Records, queue.Bytes));
    }

    [Fact]
    public async Task WaitAsync_Empty_EndsWithTheNextBatch()
    {
        var queue = new RecordQueue(10, 1000);
        for (var i = 0; i < 3; i++)
        {
            var waiting = queue.WaitAsync().AsTask();
            Assert.False(waiting.IsCompleted);
            await Enqueue(queue, Batches.Of("a")).Soon();
            await waiting.Soon();
            Assert.True(queue.WaitAsync().AsTask().IsCompleted);
            Assert.Single(Take(queue));
        }
    }

    [Fact]
    public async Task Wake_BeforeOrDuringAWait_EndsThatOne()
    {
        var queue = new RecordQueue(10, 1000);
        queue.Wake();
        queue.Wake();
        Assert.True(queue.WaitAsync().AsTask().IsCompleted);
        var waiting = queue.WaitAsync().AsTask();
        Assert.False(waiting.IsCompleted);
        queue.Wake();
        await waiting.Soon();
        Assert.False(queue.WaitAsync().AsTask().IsCompleted);
    }

    [Theory]
    [InlineData(4, 1000, 2)]
    [InlineData(1000, 25, 2)]
    [InlineData(1, 1, 1)]
    [InlineData(1000, 1000, 5)]
    public async Task Take_Limits_TakesWhatFitsAndAtLeastOne(int records, int bytes, int taken)
    {
        var queue = new RecordQueue(1000, 1000);
        for (var i = 0; i < 5; i++) await Enqueue(queue, Batches.Sized(2, 10)).Soon();
        Assert.Equal(taken, Take(queue, records, bytes).Count);
        Assert.Equal(5 - taken, Take(queue).Count);
    }

    [Fact]
    public async Task EnqueueAsync_ManyProducersAndOneConsumer_StaysInBoundsAndLosesNothing()
    {
        const int Producers = 8, Each = 1500;
        var queue = new RecordQueue(20, 200);
        var entered = new List<int>[Producers];
        var (consumed, groups) = (Enumerable.Range(0, Producers).Select(_ => new List<int>()).ToArray(), 0);
        using var done = new CancellationTokenSource();
        var consumer = Task.Run(async () =>
        {
            var group = new List<RecordBatch>();
            while (true)
            {
                queue.Take(group, 50, 500);
                AssertBounds(queue);
                if (group.Count == 0)
                {
                    if (done.IsCancellationRequested) return;
                    await queue.WaitAsync();
                    continue;
                }

                groups++;
                foreach (var batch in group) consumed[int.Parse(batch.Endpoint)].Add(int.Parse(batch.Remote));
                queue.Release(group.Sum(batch => batch.Count), group.Sum(batch => batch.Bytes));
                group.Clear();
            }
        });
        await Task.WhenAll(Enumerable.Range(0, Producers).Select(producer => Task.Run(() => ProduceAsync(producer)))).WaitAsync(Bounded.Time * 3);
        await done.CancelAsync();
        queue.Wake();
        await consumer.Soon();
        Assert.Equal((0, 0), (queue.Records, queue.Bytes));
        Assert.All(Enumerable.Range(0, Producers), producer => Assert.Equal(entered[producer], consumed[producer]));
        Assert.InRange(entered.Sum(e => e.Count), Producers * Each / 2, Producers * Each);
        Assert.True(groups > 1);

        async Task ProduceAsync(int producer)
        {
            var random = new Random(producer);
            entered[producer] = [];
            for (var i = 0; i < Each; i++)
            {
                var batch = Make(random, producer, i);
                using var leaving = new CancellationTokenSource();
                var entering = queue.EnqueueAsync(batch, leaving.Token).AsTask();
                if (i % 7 == 0) await leaving.CancelAsync();
                try
                {
                    await entering;
                    entered[producer].Add(i);
                }
                catch (OperationCanceledException)
                {
                    Assert.Equal(0, i % 7);
                }

                AssertBounds(queue);
            }
        }
    }

    /// <summary>Mostly small ones; now and then one with more records, or more bytes, than the queue has room for.</summary>
    private static RecordBatch Make(Random random, int producer, int number)
    {
        var (records, bytes) = random.Next(50) switch
        {
            0 => (30, 600),
            1 => (1, 500),
            _ => (random.Next(1, 6), random.Next(1, 100)),
        };
        var batch = new RecordBatch($"{producer}", $"{number}");
        batch.Clear(default);
        batch.Add(new(new byte[bytes]), keyed: false);
        for (var i = 1; i < records; i++) batch.Add(default, keyed: false);
        return batch;
    }

    private static void AssertBounds(RecordQueue queue)
    {
        var (records, bytes) = (queue.Records, queue.Bytes);
        Assert.True(records is (>= 0 and <= 20) or 30, $"{records} records");
        Assert.True(bytes is (>= 0 and <= 200) or 500 or 600, $"{bytes} bytes");
    }

    private static Task Enqueue(RecordQueue queue, RecordBatch batch) => queue.EnqueueAsync(batch, CancellationToken.None).AsTask();

    private static List<RecordBatch> Take(RecordQueue queue, int records = int.MaxValue, int bytes = int.MaxValue)
    {
        var group = new List<RecordBatch>();
        queue.Take(group, records, bytes);
        return group;
    }
}

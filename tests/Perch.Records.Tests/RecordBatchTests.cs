using System.Buffers;
using System.Text;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

public sealed class RecordBatchTests
{
    [Fact]
    public void Add_Messages_AreCopiedInOrder()
    {
        var sent = "first"u8.ToArray();
        var batch = Batches.Of();
        batch.Add(new(sent), keyed: false);
        batch.Add(default, keyed: false);
        batch.Add(new("third"u8.ToArray()), keyed: false);
        sent.AsSpan().Fill((byte)'!');
        Assert.Equal(["first", "", "third"], batch.Texts());
        Assert.Equal((3, 10), (batch.Count, batch.Bytes));
    }

    [Fact]
    public void Add_MessageInSegments_IsJoined()
    {
        var (first, last) = (new Segment("one-"u8.ToArray(), null), default(Segment));
        last = new("two"u8.ToArray(), first);
        var batch = Batches.Of("zero");
        batch.Add(new(first, 0, last, 3), keyed: false);
        Assert.Equal(["zero", "one-two"], batch.Texts());
    }

    [Fact]
    public void Add_ManyOfEverySize_AreAllThere()
    {
        var sent = Enumerable.Range(0, 300).Select(i => new string((char)('a' + (i % 26)), i * 7 % 1000)).ToArray();
        Assert.Equal(sent, Batches.Of(sent).Texts());
    }

    [Fact]
    public void Add_Keyed_KeyIsTakenFromTheMessage()
    {
        var batch = Batches.Keyed(true, "@a/1 one", "none", "@fleet-7/900 two", "@a/2 ", "@a/3");
        Assert.Equal(["one", "none", "two", "", "@a/3"], batch.Texts());
        Assert.Equal(["a", "", "fleet-7", "a", ""], Enumerable.Range(0, 5).Select(i => Encoding.UTF8.GetString(batch.Sender(i))));
        Assert.Equal([1, 0, 900, 2, 0], Enumerable.Range(0, 5).Select(batch.Sequence));
    }

    [Fact]
    public void Add_NotKeyed_KeyIsPartOfTheMessage()
    {
        var batch = Batches.Of("@a/1 one");
        Assert.Equal("@a/1 one", batch.Text(0));
        Assert.True(batch.Sender(0).IsEmpty);
    }

    [Fact]
    public void SetId_EachRecord_HasItsOwn()
    {
        var batch = Batches.Of([.. Enumerable.Range(0, 40).Select(i => $"{i}")]);
        for (var i = 0; i < 40; i++) batch.SetId(i, long.MaxValue - i);
        Assert.Equal(Enumerable.Range(0, 40).Select(i => long.MaxValue - i), Enumerable.Range(0, 40).Select(batch.Id));
        batch.Add(default, keyed: false);
        Assert.Equal(long.MaxValue, batch.Id(0));
    }

    [Fact]
    public void Clear_Used_IsEmptyAndForgetsKeysAndIds()
    {
        var batch = Batches.Keyed(true, "@a/1 one");
        batch.SetId(0, 7);
        batch.TryComplete(null);
        batch.Clear(DateTimeOffset.UnixEpoch.AddDays(1));
        Assert.Equal((0, 0, false, DateTimeOffset.UnixEpoch.AddDays(1)), (batch.Count, batch.Bytes, batch.IsCompleted, batch.ReceivedAt));
        batch.Add(new("two"u8.ToArray()), keyed: true);
        Assert.Equal(("two", "", 0, 0), (batch.Text(0), Encoding.UTF8.GetString(batch.Sender(0)), batch.Sequence(0), batch.Id(0)));
    }

    [Fact]
    public void Clear_AfterALargeMessage_GivesItsMemoryBack()
    {
        var batch = Batches.Of(new string('x', 4 * 1024 * 1024));
        batch.TryComplete(null);
        var before = GC.GetAllocatedBytesForCurrentThread();
        batch.Clear(default);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 16 * 1024);
        batch.Add(new("small"u8.ToArray()), keyed: false);
        Assert.Equal(["small"], batch.Texts());
    }

    [Fact]
    public void Clear_AfterUsualMessages_KeepsItsMemory()
    {
        var message = new ReadOnlySequence<byte>(new byte[100]);
        var batch = Batches.Of();
        for (var i = 0; i < 500; i++) batch.Add(message, keyed: false);
        batch.TryComplete(null);
        var before = GC.GetAllocatedBytesForCurrentThread();
        batch.Clear(default);
        for (var i = 0; i < 500; i++) batch.Add(message, keyed: false);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task ResultAsync_Completed_HasTheReason()
    {
        var (stored, failed) = (Batches.Of("a"), Batches.Of("b"));
        var failure = new RecordStoreException("full", "no space");
        var (storedResult, failedResult) = (stored.ResultAsync().AsTask(), failed.ResultAsync().AsTask());
        Assert.False(storedResult.IsCompleted);
        Assert.True(stored.TryComplete(null));
        Assert.True(failed.TryComplete(failure));
        Assert.Null(await storedResult.Soon());
        Assert.Same(failure, await failedResult.Soon());
    }

    [Fact]
    public async Task TryComplete_Twice_FirstIsTheResult()
    {
        var batch = Batches.Of("a");
        var failure = new RecordStoreException("unavailable", "late");
        Assert.True(batch.TryComplete(failure));
        Assert.False(batch.TryComplete(null));
        Assert.Same(failure, await batch.ResultAsync().AsTask().Soon());
    }

    [Fact]
    public async Task TryComplete_FromManyThreads_OneWins()
    {
        const int Rounds = 20_000;
        var batch = Batches.Of("a");
        var (won, wrong) = (0, 0);
        using var barrier = new Barrier(2, _ =>
        {
            if (Interlocked.Exchange(ref won, 0) != 1) wrong++;
            batch.Clear(default);
        });
        await Task.WhenAll(Task.Run(Race), Task.Run(Race)).Soon();
        Assert.Equal(0, wrong);

        void Race()
        {
            for (var round = 0; round < Rounds; round++)
            {
                if (batch.TryComplete(null)) Interlocked.Increment(ref won);
                Assert.True(barrier.SignalAndWait(Bounded.Time));
            }
        }
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] bytes, Segment? before)
        {
            Memory = bytes;
            if (before is null) return;
            RunningIndex = before.RunningIndex + before.Memory.Length;
            before.Next = this;
        }
    }
}

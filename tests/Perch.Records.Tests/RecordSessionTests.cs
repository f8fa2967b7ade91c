using Perch.Tests.Shared;
using Perch.Wire.Framings;

namespace Perch.Records.Tests;

/// <summary>How a session makes batches of what it reads, and answers out of what comes back.</summary>
public sealed class RecordSessionTests
{
    [Fact]
    public async Task Read_SeveralMessages_AreOneBatch()
    {
        await using var session = new LoneSession(Line());
        await session.SendAsync("a\nb\nc\nhalf");
        await session.SendAsync(" d\ne\n");
        Assert.Equal<string[]>([["a", "b", "c"], ["half d", "e"]], session.Take().Select(batch => batch.Texts()));
    }

    [Fact]
    public async Task Read_MoreMessagesThanABatchHolds_AreSeveralBatches()
    {
        await using var session = new LoneSession(Line());
        await session.SendAsync(new string('\n', (2 * RecordBatch.MostRecords) + 5));
        var batches = session.Take();
        Assert.Equal([RecordBatch.MostRecords, RecordBatch.MostRecords, 5], batches.Select(batch => batch.Count));
        var id = 1;
        foreach (var batch in batches)
        {
            var count = batch.Count;
            session.Commit(batch, id);
            await session.ExpectAsync(string.Concat(Enumerable.Range(id, count).Select(i => $"OK {i}\n")));
            id += count;
        }
    }

    [Fact]
    public async Task Read_MoreBytesThanABatchHolds_AreSeveralBatches()
    {
        const int Length = 60_000;
        await using var session = new LoneSession(Line());
        await session.SendAsync(string.Concat(Enumerable.Repeat(new string('x', Length) + "\n", 10)));
        var batches = session.Take();
        Assert.Equal([4, 4, 2], batches.Select(batch => batch.Count));
        // Each can be kept.
        Assert.All(batches, batch => Assert.InRange(batch.Held, 1, 300 * 1024));
    }

    [Fact]
    public async Task Drain_PartOfAMessageInHand_IsWaitedFor()
    {
        await using var session = new LoneSession(Line());
        await session.SendAsync("half a mes");
        session.Connection.RequestClose();
        Assert.False(session.Served.IsCompleted);
        await session.SendAsync("sage\n");
        var batch = Assert.Single(session.Take());
        Assert.Equal(["half a message"], batch.Texts());
        Assert.False(session.Served.IsCompleted);
        session.Commit(batch, 1);
        await session.ExpectAsync("OK 1\n");
        await session.Served.Soon();
    }

    [Fact]
    public async Task Drain_MessageInHandBringsPartOfTheNext_EndsBetweenTheTwo()
    {
        await using var session = new LoneSession(Line());
        await session.SendAsync("half a mes");
        session.Connection.RequestClose();
        await session.SendAsync("sage\nhalf of the next");
        session.Commit(Assert.Single(session.Take()), 1);
        await session.ExpectAsync("OK 1\n");
        await session.Served.Soon();
    }

    [Fact]
    public async Task Drain_ManyMessagesInHand_AllAreTakenThatCameWithIt()
    {
        await using var session = new LoneSession(Line(inFlight: 1));
        await session.SendAsync(new string('\n', RecordBatch.MostRecords + 5));
        session.Connection.RequestClose();
        session.Commit(Assert.Single(session.Take()), 1);
        await Bounded.UntilAsync(() => session.Queue.Records > 0);
        var rest = Assert.Single(session.Take());
        Assert.Equal(5, rest.Count);
        session.Commit(rest, 1);
        await session.Served.Soon();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(64)]
    public async Task MaxInFlight_MoreBurstsThanThat_ExactlySoManyReachTheQueue(int inFlight)
    {
        await using var session = new LoneSession(Line(inFlight));
        for (var i = 1; i <= inFlight + 3; i++) await session.SendAsync($"m{i}\n");
        var batches = session.Take();
        Assert.Equal(Enumerable.Range(1, inFlight).Select(i => $"m{i}"), batches.Select(batch => Assert.Single(batch.Texts())));

        // The next one was read already and waits; what came behind it is one batch, read when that is on its way.
        session.Commit(batches[0], 1);
        await session.ExpectAsync("OK 1\n");
        await Bounded.UntilAsync(() => session.Queue.Records == inFlight);
        Assert.Equal([$"m{inFlight + 1}"], Assert.Single(session.Take()).Texts());
    }

    [Fact]
    public async Task MaxInFlight_OneMoreIsStored_TheRestIsReadAsOneBatch()
    {
        await using var session = new LoneSession(Line(inFlight: 1));
        for (var i = 1; i <= 5; i++) await session.SendAsync($"m{i}\n");
        session.Commit(Assert.Single(session.Take()), 1);
        await session.ExpectAsync("OK 1\n");
        await Bounded.UntilAsync(() => session.Queue.Records > 0);
        session.Commit(Assert.Single(session.Take()), 2);
        await session.ExpectAsync("OK 2\n");
        await Bounded.UntilAsync(() => session.Queue.Records > 0);
        Assert.Equal(["m3", "m4", "m5"], Assert.Single(session.Take()).Texts());
    }

    [Fact]
    public async Task QueueFull_PeerIsNotRead()
    {
        await using var session = new LoneSession(Line(inFlight: 64), new() { QueueRecords = 2 });
        for (var i = 1; i <= 5; i++) await session.SendAsync($"m{i}\n");
        Assert.Equal(2, session.Queue.Records);
        var batches = session.Take();
        Assert.Equal(["m1", "m2"], batches.Select(batch => batch.Text(0)));
        session.Commit(batches[0], 1);
        await session.ExpectAsync("OK 1\n");
        // The third was read and waited; the fourth and fifth are still the transport's.
        Assert.Equal(["m3"], Assert.Single(session.Take()).Texts());
        session.Commit(batches[1], 2);
        await session.ExpectAsync("OK 2\n");
    }

    [Fact]
    public async Task Answers_LaterBatchStoredFirst_AreInTheOrderOfTheMessages()
    {
        await using var session = new LoneSession(Line());
        for (var i = 1; i <= 3; i++) await session.SendAsync($"m{i}\n");
        var batches = session.Take();
        session.Commit(batches[2], 30);
        session.Commit(batches[1], 20);
        var answer = session.Connection.ReceiveTextAsync(18);
        Assert.False(answer.IsCompleted);
        session.Commit(batches[0], 10);
        Assert.Equal("OK 10\nOK 20\nOK 30\n", await answer.Soon());
    }

    [Fact]
    public async Task Answers_OfBatchesThatAreDoneTogether_AreOneFlush()
    {
        FlushCounter? output = null;
        await using var session = new LoneSession(Line(), output: inner => output = new(inner));
        for (var i = 1; i <= 4; i++) await session.SendAsync($"m{i}\n");
        var batches = session.Take();
        for (var i = 3; i >= 0; i--) session.Commit(batches[i], i + 1);
        await session.ExpectAsync("OK 1\nOK 2\nOK 3\nOK 4\n");
        Assert.Equal(1, output!.Flushes);
    }

    [Fact]
    public async Task Answers_OfABatchWhoseFollowerIsNotDone_AreSentAtOnce()
    {
        FlushCounter? output = null;
        await using var session = new LoneSession(Line(), output: inner => output = new(inner));
        await session.SendAsync("m1\n");
        await session.SendAsync("m2\n");
        var batches = session.Take();
        session.Commit(batches[0], 1);
        await session.ExpectAsync("OK 1\n");
        session.Commit(batches[1], 2);
        await session.ExpectAsync("OK 2\n");
        Assert.Equal(2, output!.Flushes);
    }

    [Fact]
    public async Task Answers_FlushThrows_SessionEndsWithIt()
    {
        FlushCounter? output = null;
        await using var session = new LoneSession(Line(), output: inner => output = new(inner));
        output!.Failure = new IOException("broken pipe");
        await session.SendAsync("a\n");
        await session.SendAsync("b\n");
        var batches = session.Take();
        session.Commit(batches[0], 1);
        // The other batch is still the store's, and the peer sends nothing more.
        Assert.Same(output.Failure, await Assert.ThrowsAsync<IOException>(() => session.Served.Soon()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Answers_ManyOfABatch_AreFlushedOnTheWay(bool stored)
    {
        FlushCounter? output = null;
        var answer = stored ? new string('k', 99) + "\n" : "ERR full not stored, send it again\n";
        await using var session = new LoneSession(new() { Framing = Framing.Line, Ack = answer }, output: inner => output = new(inner));
        await session.SendAsync(new string('\n', RecordBatch.MostRecords));
        var batch = Assert.Single(session.Take());
        if (stored) session.Commit(batch, 1);
        else session.Fail(batch, new RecordStoreException("full", "no space left"));
        await session.ExpectAsync(string.Concat(Enumerable.Repeat(answer, RecordBatch.MostRecords)));
        Assert.InRange(output!.MostUnflushed, 1, (64 * 1024) + answer.Length);
    }

    [Fact]
    public async Task Answers_Silent_NothingIsFlushed()
    {
        FlushCounter? output = null;
        await using var session = new LoneSession(new() { Framing = Framing.Line }, output: inner => output = new(inner));
        for (var i = 1; i <= 8; i++)
        {
            await session.SendAsync($"m{i}\n");
            await Bounded.UntilAsync(() => session.Queue.Records > 0);
            session.Commit(Assert.Single(session.Take()), i);
        }

        session.Connection.EndInput();
        await session.Served.Soon();
        Assert.Equal(0, output!.Flushes);
    }

    [Fact]
    public async Task Batches_Answered_AreUsedAgain()
    {
        await using var session = new LoneSession(Line(inFlight: 2));
        var seen = new HashSet<RecordBatch>(ReferenceEqualityComparer.Instance);
        for (var i = 1; i <= 20; i++)
        {
            await session.SendAsync($"m{i}\n");
            await Bounded.UntilAsync(() => session.Queue.Records > 0);
            var batch = Assert.Single(session.Take());
            Assert.Equal([$"m{i}"], batch.Texts());
            seen.Add(batch);
            session.Commit(batch, i);
            await session.ExpectAsync($"OK {i}\n");
        }

        Assert.InRange(seen.Count, 1, 3);
    }

    [Fact]
    public async Task Batches_Refused_AreUsedAgain()
    {
        await using var session = new LoneSession(Line(inFlight: 2));
        var seen = new HashSet<RecordBatch>(ReferenceEqualityComparer.Instance);
        for (var i = 1; i <= 20; i++)
        {
            await session.SendAsync($"m{i}\n");
            await Bounded.UntilAsync(() => session.Queue.Records > 0);
            var batch = Assert.Single(session.Take());
            seen.Add(batch);
            session.Fail(batch, new RecordStoreException("full", "no space left"));
            await session.ExpectAsync("ERR full not stored, send it again\n");
        }

        Assert.InRange(seen.Count, 1, 3);
    }

    [Fact]
    public async Task Batches_AfterABurst_GiveTheirMemoryBack()
    {
        const int Bursts = 4;
        const int BurstBytes = 200 * 1024;
        await using var session = new LoneSession(Line(Bursts));
        for (var i = 0; i < Bursts; i++) await session.SendAsync(new string('x', BurstBytes) + "\n");
        await AnswerAsync();
        // A heartbeat that finds it used, and one that does not.
        session.Connection.Heartbeat();
        session.Connection.Heartbeat();
        for (var i = 0; i < Bursts; i++) await session.SendAsync("x\n");
        // The last may have been on its way back while the heart beat.
        Assert.InRange(session.Take().Sum(batch => batch.Held), 1, BurstBytes * 3 / 2);

        async Task AnswerAsync()
        {
            foreach (var batch in session.Take())
            {
                session.Commit(batch, 1);
                await session.ExpectAsync("OK 1\n");
            }
        }
    }

    [Fact]
    public async Task Batches_InUse_KeepTheirMemory()
    {
        await using var session = new LoneSession(Line(inFlight: 1));
        var seen = new HashSet<RecordBatch>(ReferenceEqualityComparer.Instance);
        for (var i = 1; i <= 10; i++)
        {
            await session.SendAsync(new string('x', 100_000) + "\n");
            await Bounded.UntilAsync(() => session.Queue.Records > 0);
            var batch = Assert.Single(session.Take());
            seen.Add(batch);
            session.Commit(batch, i);
            await session.ExpectAsync($"OK {i}\n");
            session.Connection.Heartbeat();
        }

        Assert.InRange(seen.Count, 1, 2);
    }

    [Fact]
    public async Task Drain_StoreHangs_IsRefusedWhenItsTimeIsOver()
    {
        var time = new ObservedTime();
        await using var session = new LoneSession(Line(), time: time);
        await session.SendAsync("a\n");
        Assert.Equal(0, time.Timers);
        session.Connection.RequestClose();
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.False(Assert.Single(session.Take()).IsCompleted);
        var answer = session.Connection.ReceiveTextAsync(Unavailable.Length);
        await Bounded.UntilAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            session.Connection.Heartbeat();
            return answer.IsCompleted;
        });
        Assert.Equal(Unavailable, await answer);
        await session.Served.Soon();
        Assert.Equal(0, time.Timers);
    }

    [Fact]
    public async Task Heartbeat_TimeIsOver_ThoseBehindItAreRefusedWithIt()
    {
        var time = new ObservedTime();
        await using var session = new LoneSession(Line(), time: time);
        for (var i = 0; i < 4; i++) await session.SendAsync($"m{i}\n");
        time.Advance(TimeSpan.FromSeconds(11));
        await session.ExpectOfHeartbeatAsync(Unavailable);
        await session.ExpectAsync(string.Concat(Enumerable.Repeat(Unavailable, 3)));
        await session.Served.Soon();
    }

    [Fact]
    public async Task Heartbeat_TimeIsOver_RefusesAndNeverUsesTheBatchAgain()
    {
        var time = new ObservedTime();
        await using var session = new LoneSession(Line(), time: time);
        await session.SendAsync("a\nb\n");
        time.Advance(TimeSpan.FromSeconds(10));
        session.Connection.Heartbeat();
        var batch = Assert.Single(session.Take());
        Assert.False(batch.IsCompleted);
        time.Advance(TimeSpan.FromTicks(1));
        await session.ExpectOfHeartbeatAsync("ERR unavailable not stored, send it again\nERR unavailable not stored, send it again\n");
        await session.Served.Soon();
        // The store ends what it had in hand, late.
        Assert.False(batch.TryComplete(null));
        Assert.Equal(["a", "b"], batch.Texts());
    }

    [Fact]
    public async Task Heartbeat_TimeIsOver_TheConnectionLeavesWithWhatWaitsForTheQueue()
    {
        var time = new ObservedTime();
        await using var session = new LoneSession(Line(), new() { QueueRecords = 1 }, time);
        await session.SendAsync("a\n");
        time.Advance(TimeSpan.FromSeconds(9));
        await session.SendAsync("b\n");
        time.Advance(TimeSpan.FromSeconds(2));
        // The second has time left, but was never queued, and nobody is going to read what becomes of it.
        await session.ExpectOfHeartbeatAsync("ERR unavailable not stored, send it again\nERR unavailable not stored, send it again\n");
        await session.Served.Soon();
        var batch = Assert.Single(session.Take());
        Assert.Equal(["a"], batch.Texts());
        session.Queue.Release(batch.Count, batch.Bytes);
        Assert.Empty(session.Take());
        Assert.Equal(0, session.Queue.Records);
    }

    [Fact]
    public async Task Heartbeat_BatchIsAnsweredAndFilledAgainMeanwhile_LeavesTheNewOneAlone()
    {
        var time = new ObservedTime();
        await using var session = new LoneSession(Line(inFlight: 1), time: time);
        using var looked = new SemaphoreSlim(0);
        using var goOn = new SemaphoreSlim(0);
        await session.SendAsync("a\n");
        time.Advance(TimeSpan.FromSeconds(11));
        var heart = new Thread(() =>
        {
            while (!looked.Wait(0)) session.Connection.Heartbeat();
        });
        time.Reading = () =>
        {
            if (Thread.CurrentThread != heart) return;
            looked.Release();
            goOn.Wait(Bounded.Time);
        };
        heart.Start();
        await Bounded.UntilAsync(() => looked.CurrentCount > 0);

        // The heartbeat has read the time, and is slow to go on.
        var first = Assert.Single(session.Take());
        session.Commit(first, 1);
        await session.ExpectAsync("OK 1\n");
        var second = first;
        for (var i = 2; i < 5; i++)
        {
            await session.SendAsync("b\n");
            await Bounded.UntilAsync(() => session.Queue.Records > 0);
            second = Assert.Single(session.Take());
            if (second == first) break;
            session.Commit(second, i);
            await session.ExpectAsync($"OK {i}\n");
        }

        Assert.Same(first, second);
        goOn.Release();
        Assert.True(heart.Join(Bounded.Time));
        Assert.False(second.IsCompleted);
    }

    [Fact]
    public async Task Heartbeat_NothingInHand_DoesNothing()
    {
        var time = new ObservedTime();
        await using var session = new LoneSession(Line(), time: time);
        time.Advance(TimeSpan.FromHours(1));
        session.Connection.Heartbeat();
        await session.SendAsync("a\n");
        session.Commit(Assert.Single(session.Take()), 1);
        await session.ExpectAsync("OK 1\n");
        time.Advance(TimeSpan.FromHours(1));
        session.Connection.Heartbeat();
        await session.SendAsync("b\n");
        session.Commit(Assert.Single(session.Take()), 2);
        await session.ExpectAsync("OK 2\n");
    }

    private const string Unavailable = "ERR unavailable not stored, send it again\n";

    private static RecordOptions Line(int inFlight = 4) => new() { Framing = Framing.Line, Ack = "OK {id}\n", MaxInFlight = inFlight };
}

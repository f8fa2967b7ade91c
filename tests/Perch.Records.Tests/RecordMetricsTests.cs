using Microsoft.Extensions.Time.Testing;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

public sealed class RecordMetricsTests
{
    [Fact]
    public async Task Stored_Records_AreCountedByEndpoint()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        var peer = host.Connect();
        await peer.SendAsync("a\nb\nc\n");
        await peer.ExpectAsync("OK 1\nOK 2\nOK 3\n");
        await peer.SendAsync("d\n");
        await peer.ExpectAsync("OK 4\n");
        // Counted before they are told.
        Assert.Equal(4, host.Readings.Sum("perch.records.stored", "endpoint=test"));
        Assert.Empty(host.Readings.Of("perch.records.refused"));
    }

    [Fact]
    public async Task Refused_Records_AreCountedByEndpointAndCode()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Failure = new RecordStoreException("full", "no space left");
        var peer = host.Connect();
        await peer.SendAsync("a\nb\n");
        await peer.ExpectAsync("ERR full not stored, send it again\nERR full not stored, send it again\n");
        Assert.Equal(2, host.Readings.Sum("perch.records.refused", "code=full endpoint=test"));
        Assert.Empty(host.Readings.Of("perch.records.stored"));
    }

    [Fact]
    public async Task Refused_TimeIsOver_IsCountedThoughItMayYetBeStored()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, new() { QueueRecords = 2 }, time);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("a\nb\n");
        await host.Store.AppendingAsync();
        // Never queued; told with the others.
        await peer.SendAsync("c\n");
        time.Advance(TimeSpan.FromSeconds(11));
        await peer.BeatToEndAsync();
        var told = (await peer.ReceiveToEndAsync()).Count(b => b == '\n');
        host.Store.Release();
        await host.StopAsync();
        Assert.InRange(told, 2, 3);
        Assert.Equal(told, host.Readings.Sum("perch.records.refused", "code=unavailable endpoint=test"));
        Assert.Empty(host.Readings.Of("perch.records.stored"));
    }

    [Fact]
    public async Task Stored_SmallBatchesUsedAgainAtOnce_AreAllCounted()
    {
        const int Messages = 3000;
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        var peer = host.Connect();
        for (var i = 1; i <= Messages; i++)
        {
            await peer.SendAsync("a\n");
            await peer.ExpectAsync($"OK {i}\n");
        }

        Assert.Equal(Messages, host.Readings.Sum("perch.records.stored", "endpoint=test"));
    }

    [Fact]
    public async Task Commit_Transactions_AreTimedAndSized()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        host.Store.Hold();
        var (first, second, third) = (host.Connect(), host.Connect(), host.Connect());
        await first.SendAsync("a\nb\n");
        await host.Store.AppendingAsync();
        await second.SendAsync("c\n");
        await host.QueuedAsync(3);
        await third.SendAsync("d\ne\n");
        await host.QueuedAsync(5);
        time.Advance(TimeSpan.FromSeconds(3));
        host.Store.Release();
        await first.ExpectAsync("OK 1\nOK 2\n");
        await third.ExpectAsync("OK 4\nOK 5\n");
        await host.StopAsync();
        Assert.Equal([2, 3], host.Readings.Of("perch.record.commit.size").Select(r => r.Value));
        Assert.Equal([3, 0], host.Readings.Of("perch.record.commit.duration").Select(r => r.Value));
    }

    [Fact]
    public async Task Commit_StoreIsDown_NoTransactionIsMeasured()
    {
        var store = new FakeStore { OpenFailure = new RecordStoreException("unavailable", "it is down") };
        await using var host = await RecordHost.StartAsync(RecordHost.Line, store: store);
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await peer.ExpectAsync("ERR unavailable not stored, send it again\n");
        await host.StopAsync();
        Assert.Empty(host.Readings.Of("perch.record.commit.size"));
        Assert.Empty(host.Readings.Of("perch.record.commit.duration"));
    }

    [Fact]
    public async Task Queue_WhileTheStoreHangs_SaysHowMuchWaitsAndForHowLong()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        Assert.Equal((0, 0, 0), Queue(host));
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("12345\n");
        await host.Store.AppendingAsync();
        time.Advance(TimeSpan.FromSeconds(2));
        await peer.SendAsync("1\n2\n");
        await host.QueuedAsync(3);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((3, 7, 3), Queue(host));
        host.Store.Release();
        await peer.ExpectAsync("OK 1\nOK 2\nOK 3\n");
        await host.StopAsync();
        Assert.Equal((0, 0, 0), Queue(host));
    }

    private static (double Records, double Bytes, double Oldest) Queue(RecordHost host) =>
        (host.Readings.Observe("perch.record.queue"), host.Readings.Observe("perch.record.queue.size"), host.Readings.Observe("perch.record.oldest"));
}

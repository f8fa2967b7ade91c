using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>The writer alone, with batches from no connection.</summary>
public sealed class RecordWriterTests : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly FakeStore _store = new();
    private readonly ObservedTime _time = new();
    private RecordWriter? _writer;

    [Fact]
    public async Task Group_WhatCameWhileAnAppendWasHeld_IsOneTransaction()
    {
        var writer = await StartAsync();
        _store.Hold();
        var results = new List<Task<RecordStoreException?>> { await EnqueueAsync(writer, "a") };
        await _store.AppendingAsync();
        foreach (var text in new[] { "b", "c", "d" }) results.Add(await EnqueueAsync(writer, text));
        Assert.All(results, result => Assert.False(result.IsCompleted));
        _store.Release();
        Assert.All(await Task.WhenAll(results).Soon(), Assert.Null);
        Assert.Equal<string[]>([["a"], ["b", "c", "d"]], _store.Groups.Select(group => group.SelectMany(batch => batch).Select(record => record.Text).ToArray()));
    }

    [Fact]
    public async Task Group_Limits_AreKept()
    {
        var writer = await StartAsync(new() { CommitRecords = 2 });
        _store.Hold();
        await EnqueueAsync(writer, "a");
        await _store.AppendingAsync();
        var results = new List<Task<RecordStoreException?>>();
        for (var i = 0; i < 5; i++) results.Add(await EnqueueAsync(writer, $"{i}"));
        _store.Release();
        await Task.WhenAll(results).Soon();
        Assert.Equal([1, 2, 2, 1], _store.Groups.Select(group => group.Length));
    }

    [Fact]
    public async Task CommitDelay_FewRecords_WaitForCompany()
    {
        var writer = await StartAsync(new() { CommitDelay = TimeSpan.FromMilliseconds(50) });
        var timers = _time.Timers;
        var first = await EnqueueAsync(writer, "a");
        await Bounded.UntilAsync(() => _time.Timers > timers);
        var second = await EnqueueAsync(writer, "b");
        Assert.Equal(0, _store.Appends);
        _time.Advance(TimeSpan.FromMilliseconds(50));
        Assert.All(await Task.WhenAll(first, second).Soon(), Assert.Null);
        Assert.Equal(2, Assert.Single(_store.Groups).Length);
    }

    [Fact]
    public async Task CommitDelay_EnoughRecords_DoNotWait()
    {
        var writer = await StartAsync(new() { CommitDelay = TimeSpan.FromSeconds(10), CommitRecords = 2 });
        var batch = Batches.Of("a", "b");
        await writer.NextQueue().EnqueueAsync(batch, CancellationToken.None).AsTask().Soon();
        Assert.Null(await batch.ResultAsync().AsTask().Soon());
    }

    [Fact]
    public async Task StopAsync_QueuedBatches_AreCommittedBeforeItEnds()
    {
        var writer = await StartAsync(new() { QueueRecords = 3 });
        _store.Hold();
        var results = new List<Task<RecordStoreException?>> { await EnqueueAsync(writer, "a") };
        await _store.AppendingAsync();
        results.Add(await EnqueueAsync(writer, "b"));
        results.Add(await EnqueueAsync(writer, "c"));
        // There is no room for this one yet.
        var waiting = EnqueueAsync(writer, "d");
        var stopping = writer.StopAsync(CancellationToken.None);
        Assert.False(stopping.IsCompleted || waiting.IsCompleted);
        _store.Release();
        await stopping.Soon();
        Assert.Equal(["a", "b", "c", "d"], _store.Texts);
        results.Add(await waiting.Soon());
        Assert.All(await Task.WhenAll(results).Soon(), Assert.Null);
    }

    [Fact]
    public async Task StopAsync_StoreHangs_EndsWithTheHostsPatience()
    {
        var writer = await StartAsync();
        _store.Hold();
        await EnqueueAsync(writer, "a");
        await _store.AppendingAsync();
        using var patience = new CancellationTokenSource();
        var stopping = writer.StopAsync(patience.Token);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopping.Soon());
    }

    [Fact]
    public async Task StopAsync_NobodyNeedsTheStore_ItWasNotOpened()
    {
        var writer = await StartAsync(needed: false);
        await writer.StopAsync(CancellationToken.None).Soon();
        Assert.Equal(0, _store.Opens);
    }

    [Fact]
    public async Task Committed_NextCommit_Ends()
    {
        var writer = await StartAsync();
        var (first, again) = (writer.Committed, writer.Committed);
        Assert.False(first.IsCompleted);
        await await EnqueueAsync(writer, "a");
        await Task.WhenAll(first, again).Soon();
        Assert.False(writer.Committed.IsCompleted);
    }

    [Fact]
    public async Task Trim_WorkingStore_IsOnceASecond()
    {
        await StartAsync();
        await Bounded.UntilAsync(() => _time.Timers > 0);
        for (var trims = 1; trims < 4; trims++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Bounded.UntilAsync(() => _store.Trims >= trims);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _store.Release();
        _store.ReleaseOpen();
        if (_writer is not null) await _writer.StopAsync(CancellationToken.None).Soon();
        _writer?.Dispose();
        await _services.DisposeAsync();
    }

    private async Task<RecordWriter> StartAsync(RecordsOptions? options = null, bool needed = true)
    {
        var metrics = ActivatorUtilities.CreateInstance<RecordMetrics>(_services);
        _writer = new(_store, options ?? new(), metrics, _time, NullLogger<RecordWriter>.Instance);
        if (needed) _writer.Need();
        await _writer.StartingAsync(CancellationToken.None);
        return _writer;
    }

    /// <returns>What becomes of it, once it is queued.</returns>
    private async Task<Task<RecordStoreException?>> EnqueueAsync(RecordWriter writer, string text)
    {
        var batch = Batches.Of(text);
        batch.QueuedAt = _time.GetTimestamp();
        await writer.NextQueue().EnqueueAsync(batch, CancellationToken.None).AsTask().Soon();
        return batch.ResultAsync().AsTask();
    }
}

using Perch.Tests.Shared;

namespace Perch.Records.Tests.Sqlite;

public sealed class SqliteReadTests : IDisposable
{
    private readonly SqliteFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Read_Pages_FollowEachOtherWithDeletesBetween()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("1", "2", "3", "4", "5", "6", "7"));
        Assert.Equal(["1", "2", "3"], await store.TextsAsync(new() { Limit = 3 }));
        using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id IN (2, 3, 4, 6)");
        Assert.Equal(["5", "7"], await store.TextsAsync(new() { After = 3, Limit = 3 }));
        Assert.Empty(await store.TextsAsync(new() { After = 7, Limit = 3 }));
        Assert.Empty(await store.TextsAsync(new() { Limit = 0 }));
    }

    [Fact]
    public async Task Read_Filters_AllHold()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("one", false, "pike", "perch 100%", "Perch"));
        _folder.Time.Advance(TimeSpan.FromHours(1));
        await store.AddAsync(_folder.Batch("two", false, "perch", "' OR 1=1 --"));
        await store.AddAsync(_folder.Batch("one", false, "perch_2"));

        Assert.Equal(["pike", "perch 100%", "Perch", "perch_2"], await store.TextsAsync(new() { Endpoint = "one" }));
        Assert.Equal(["perch 100%", "perch", "perch_2"], await store.TextsAsync(new() { Contains = "perch" }));
        Assert.Equal(["perch 100%"], await store.TextsAsync(new() { Contains = "%" }));
        Assert.Equal(["' OR 1=1 --"], await store.TextsAsync(new() { Contains = "' OR 1=1 --" }));
        Assert.Equal(["perch", "' OR 1=1 --", "perch_2"], await store.TextsAsync(new() { Since = _folder.Time.GetUtcNow() }));
        Assert.Equal(["perch_2"], await store.TextsAsync(new() { Since = _folder.Time.GetUtcNow(), Endpoint = "one", Contains = "perch", After = 2 }));
        Assert.Empty(await store.TextsAsync(new() { Endpoint = "' OR 1=1 --" }));
        Assert.Equal(6, (await store.ListAsync(new() { Contains = "" })).Count);
    }

    [Fact]
    public async Task Read_Since_IsExactForEveryTimeWithGapsAndOrderALittleOff()
    {
        await using var store = _folder.Store();
        var start = _folder.Time.GetUtcNow();
        for (var i = 0; i < 60; i++)
        {
            // Every third was received a while before the one that was stored before it.
            _folder.Time.AdjustTime(_folder.Time.GetUtcNow() + TimeSpan.FromSeconds(i % 3 == 2 ? -15 : 40));
            await store.AddAsync(_folder.Batch($"{i}"));
        }
        using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id BETWEEN 20 AND 40 OR id < 4");
        var all = await store.ListAsync();
        for (var since = start; since < _folder.Time.GetUtcNow() + TimeSpan.FromMinutes(2); since += TimeSpan.FromSeconds(7))
        {
            var expected = all.Where(r => r.ReceivedAt >= since).Select(r => r.Id);
            Assert.Equal(expected, (await store.ListAsync(new() { Since = since })).Select(r => r.Id));
        }
    }

    [Fact]
    public async Task Read_BesideWrites_SeesWhatIsCommittedInOrder()
    {
        await using var store = _folder.Store();
        string[] texts = [.. Enumerable.Range(0, 2500).Select(i => $"{i}")];
        await store.AddAsync(_folder.Batch(texts));
        var seen = new List<string>();
        await foreach (var record in store.ReadAsync(new() { Limit = int.MaxValue }, CancellationToken.None))
        {
            if (seen.Count is 0 or 1500) await store.AddAsync(_folder.Batch("more"));
            seen.Add(record.Data);
        }
        Assert.Equal([.. texts, "more", "more"], seen);
    }

    [Fact]
    public async Task Read_WhileAnotherWritesForLong_IsNotHeldUp()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("a"));
        using var other = _folder.Other();
        other.Execute("BEGIN EXCLUSIVE");
        Assert.Equal(["a"], await store.TextsAsync());
    }

    [Fact]
    public async Task Read_CancelledInAScanThatFindsNothing_Stops()
    {
        using var cancel = new CancellationTokenSource();
        // The clock is looked at for every row.
        var looks = 0;
        var time = new ObservedTime { Reading = CancelAt1500 };
        await using var store = _folder.Store(time);
        await store.AddAsync(_folder.Batch([.. Enumerable.Repeat("x", 5000)]));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var record in store.ReadAsync(new() { Contains = "nothing" }, cancel.Token)) Assert.Fail(record.Data);
        });
        Assert.InRange(looks, 1500, 1510);

        void CancelAt1500()
        {
            if (++looks == 1500)
                cancel.Cancel();
        }
    }

    [Fact]
    public async Task Find_Id_IsThatRecordOrNull()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("a", "b", "c"));
        using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id = 2");
        Assert.Equal("a", (await store.FindAsync(1, CancellationToken.None))?.Data);
        foreach (var id in (long[])[2, 4, 0, -1, long.MinValue, long.MaxValue]) Assert.Null(await store.FindAsync(id, CancellationToken.None));
    }

    [Fact]
    public async Task Read_NothingOpenedYet_IsUnavailable()
    {
        await using var store = _folder.Store();
        Assert.Equal("unavailable", (await Assert.ThrowsAsync<RecordStoreException>(() => store.ListAsync())).Code);
    }
}

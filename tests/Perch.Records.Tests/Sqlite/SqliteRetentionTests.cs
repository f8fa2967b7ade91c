using Perch.Records.Sqlite;

namespace Perch.Records.Tests.Sqlite;

public sealed class SqliteRetentionTests : IDisposable
{
    private readonly SqliteFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Trim_ByAge_DeletesTheOldStepByStep()
    {
        _folder.Options.Retention.MaxAge = TimeSpan.FromHours(1);
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("1", "2", "3"));
        _folder.Time.Advance(TimeSpan.FromMinutes(30));
        await store.AddAsync(_folder.Batch("4"));
        Assert.Equal(0, await store.TrimAsync(2, CancellationToken.None));
        _folder.Time.Advance(TimeSpan.FromMinutes(31));
        Assert.Equal("2 1 0", await TrimAsync(store, 2, times: 3));
        Assert.Equal(["4"], await store.TextsAsync());
        _folder.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("1 0", await TrimAsync(store, 2, times: 2));
        Assert.Equal("5", await store.AddAsync(_folder.Batch("5")));
    }

    [Fact]
    public async Task Trim_ByAgeARecordOfAClockAhead_DoesNotKeepThoseBehindIt()
    {
        _folder.Options.Retention.MaxAge = TimeSpan.FromHours(1);
        await using var store = _folder.Store();
        _folder.Time.Advance(TimeSpan.FromDays(1));
        await store.AddAsync(_folder.Batch("ahead"));
        _folder.Time.AdjustTime(_folder.Time.GetUtcNow() - TimeSpan.FromDays(1));
        await store.AddAsync(_folder.Batch("1", "2"));
        _folder.Time.Advance(TimeSpan.FromHours(2));
        Assert.Equal("2 0", await TrimAsync(store, 10, times: 2));
        Assert.Equal(["ahead"], await store.TextsAsync());
    }

    [Fact]
    public async Task Trim_ByRows_KeepsTheNewest()
    {
        _folder.Options.Retention.MaxRows = 3;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("1", "2", "3"));
        Assert.Equal(0, await store.TrimAsync(2, CancellationToken.None));
        await store.AddAsync(_folder.Batch("4", "5", "6"));
        Assert.Equal("2 1 0", await TrimAsync(store, 2, times: 3));
        await store.AddAsync(_folder.Batch("7"));
        Assert.Equal("1 0", await TrimAsync(store, 2, times: 2));
        Assert.Equal(["5", "6", "7"], await store.TextsAsync());
    }

    [Fact]
    public async Task Trim_ByRowsWithGapsFromOthers_CountsRowsAndNotIds()
    {
        _folder.Options.Retention.MaxRows = 4;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("1", "2", "3", "4", "5", "6", "7", "8"));
        using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id IN (2, 4, 5)");
        Assert.Equal("1 0", await TrimAsync(store, 10, times: 2));
        Assert.Equal(["3", "6", "7", "8"], await store.TextsAsync());
        using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id = 7");
        await store.AddAsync(_folder.Batch("9"));
        Assert.Equal("0", await TrimAsync(store, 10, times: 1));
        Assert.Equal(["3", "6", "8", "9"], await store.TextsAsync());
    }

    [Fact]
    public async Task Trim_ByRowsMoreThanASliceOfCounting_IsExact()
    {
        _folder.Options.Retention.MaxRows = 40_000;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch([.. Enumerable.Repeat("x", 45_000)]));
        using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id % 10 = 0");
        Assert.Equal("300 200 0", await TrimAsync(store, 300, times: 3));
        Assert.Equal(40_000, (await store.ListAsync()).Count);
    }

    [Fact]
    public async Task Trim_ByAgeAndRows_DeletesNoMoreThanAsked()
    {
        _folder.Options.Retention.MaxAge = TimeSpan.FromHours(1);
        _folder.Options.Retention.MaxRows = 2;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("1", "2"));
        _folder.Time.Advance(TimeSpan.FromHours(2));
        await store.AddAsync(_folder.Batch("3", "4", "5", "6"));
        Assert.Equal("3 1 0", await TrimAsync(store, 3, times: 3));
        Assert.Equal(["5", "6"], await store.TextsAsync());
    }

    [Fact]
    public async Task Trim_Everything_GivesNoIdTwiceAfterARestart()
    {
        _folder.Options.Retention.MaxAge = TimeSpan.FromHours(1);
        await using (var store = _folder.Store())
        {
            await store.AddAsync(_folder.Batch("1", "2"));
            _folder.Time.Advance(TimeSpan.FromHours(2));
            Assert.Equal("2", await TrimAsync(store, 10, times: 1));
        }
        await using var again = _folder.Store();
        Assert.Equal("3", await again.AddAsync(_folder.Batch("3")));
    }

    /// <summary>A clock that is 400 days ahead for three seconds.</summary>
    [Fact]
    public async Task Trim_WallClockJumps_DeletesNoRecordAndNoKeyForItsAge()
    {
        _folder.Options.Retention.MaxAge = TimeSpan.FromDays(30);
        await using var store = _folder.Store();
        Assert.Equal("1", await store.AddAsync(_folder.Keyed("@a/1 one")));
        Assert.Equal(0, await store.TrimAsync(10, CancellationToken.None));
        _folder.Time.Jump(TimeSpan.FromDays(400));
        Assert.Equal("0 0", await TrimAsync(store, 10, times: 2));
        _folder.Time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal("0", await TrimAsync(store, 10, times: 1));
        _folder.Time.Jump(TimeSpan.FromDays(-400));
        _folder.Time.Advance(TimeSpan.FromHours(2));
        Assert.Equal("0 0", await TrimAsync(store, 10, times: 2));
        Assert.Equal("1", await store.AddAsync(_folder.Keyed("@a/1 one")));

        _folder.Time.Advance(TimeSpan.FromDays(31));
        Assert.Equal("2", await TrimAsync(store, 10, times: 1));
    }

    [Fact]
    public async Task Trim_WallClockJumps_StillKeepsTheBoundOfRows()
    {
        _folder.Options.Retention.MaxRows = 1;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("1", "2"));
        _folder.Time.Jump(TimeSpan.FromDays(400));
        Assert.Equal("1 0", await TrimAsync(store, 10, times: 2));
    }

    /// <returns>How many each step deleted.</returns>
    private static async Task<string> TrimAsync(SqliteRecordStore store, int most, int times)
    {
        var deleted = new int[times];
        for (var i = 0; i < times; i++) deleted[i] = await store.TrimAsync(most, CancellationToken.None);
        return string.Join(' ', deleted);
    }
}

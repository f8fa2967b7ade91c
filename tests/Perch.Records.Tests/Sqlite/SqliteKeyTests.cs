namespace Perch.Records.Tests.Sqlite;

public sealed class SqliteKeyTests : IDisposable
{
    private readonly SqliteFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Append_KeySeenBefore_GetsTheFirstIdAndIsNotStored()
    {
        await using (var store = _folder.Store())
        {
            Assert.Equal("1 2 3", await store.AddAsync(_folder.Keyed("@s/1 one", "@s/2 two", "no key")));
            Assert.Equal("2 4 1 5", await store.AddAsync(_folder.Keyed("@s/2 changed", "@t/2 other sender", "@s/1 one", "no key")));
        }
        await using var again = _folder.Store();
        Assert.Equal("4 6", await again.AddAsync(_folder.Keyed("@t/2 after a restart", "@t/9223372036854775807 last")));
        Assert.Equal(["one", "two", "no key", "other sender", "no key", "last"], await again.TextsAsync());
    }

    [Fact]
    public async Task Append_KeyTwiceInOneGroup_IsStoredOnce()
    {
        await using var store = _folder.Store();
        var (one, two) = (_folder.Keyed("@s/1 a", "@s/1 b"), _folder.Keyed("@s/1 c", "@s/2 d"));
        await store.AppendAsync([one, two], CancellationToken.None);
        Assert.Equal([1L, 1L, 1L, 2L], [one.Id(0), one.Id(1), two.Id(0), two.Id(1)]);
        Assert.Equal(["a", "d"], await store.TextsAsync());
    }

    [Fact]
    public async Task Append_GroupThatFailed_LeavesNoKey()
    {
        await using var store = _folder.Store();
        await store.OpenAsync(CancellationToken.None);
        await store.OnWriterAsync(database => database.Execute($"PRAGMA max_page_count = {database.QueryInt64("PRAGMA page_count")}"));
        Assert.Equal("full", (await store.FailAsync(_folder.Keyed("@s/1 a", $"@s/2 {new string('x', 100_000)}"))).Code);
        await store.OnWriterAsync(database => database.Execute("PRAGMA max_page_count = 1000000"));
        Assert.Equal("1", await store.AddAsync(_folder.Keyed("@s/1 a")));
        Assert.Equal(["a"], await store.TextsAsync());
    }

    [Fact]
    public async Task Append_KeyPastTheWindow_IsStoredAnew()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Keyed("@s/1 a"));
        _folder.Time.Advance(_folder.Options.DeduplicateWindow);
        Assert.Equal("1", await store.AddAsync(_folder.Keyed("@s/1 at its end")));
        _folder.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("2", await store.AddAsync(_folder.Keyed("@s/1 past it")));
        Assert.Equal("2", await store.AddAsync(_folder.Keyed("@s/1 within the next")));
    }

    [Fact]
    public async Task Append_NoWindow_RemembersForEver()
    {
        _folder.Options.DeduplicateWindow = TimeSpan.Zero;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Keyed("@s/1 a"));
        _folder.Time.Advance(TimeSpan.FromDays(3650));
        Assert.Equal(0, await store.TrimAsync(100, CancellationToken.None));
        Assert.Equal("1", await store.AddAsync(_folder.Keyed("@s/1 b")));
    }

    [Fact]
    public async Task Trim_KeysPastTheWindow_AreDeletedAndRecordsStay()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Keyed("@s/1 a", "@s/2 b", "@s/3 c"));
        _folder.Time.Advance(TimeSpan.FromDays(4));
        await store.AddAsync(_folder.Keyed("@s/4 d"));
        _folder.Time.Advance(TimeSpan.FromDays(4));
        int[] deleted = [await TrimAsync(), await TrimAsync(), await TrimAsync()];
        Assert.Equal([2, 1, 0], deleted);
        Assert.Equal("4 5", await store.AddAsync(_folder.Keyed("@s/4 again", "@s/3 again")));
        Assert.Equal(["a", "b", "c", "d", "again"], await store.TextsAsync());

        Task<int> TrimAsync() => store.TrimAsync(2, CancellationToken.None);
    }

    [Fact]
    public async Task Append_RecordOfAKeyWasTrimmed_KeyStillCounts()
    {
        _folder.Options.Retention.MaxRows = 1;
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Keyed("@s/1 a", "@s/2 b"));
        Assert.Equal(1, await store.TrimAsync(100, CancellationToken.None));
        Assert.Equal("1", await store.AddAsync(_folder.Keyed("@s/1 a")));
        Assert.Equal(["b"], await store.TextsAsync());
    }
}

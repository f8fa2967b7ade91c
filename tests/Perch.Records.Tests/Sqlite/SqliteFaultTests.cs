using Perch.Records.Sqlite;
using Perch.Tests.Shared;

namespace Perch.Records.Tests.Sqlite;

public sealed class SqliteFaultTests : IDisposable
{
    private readonly SqliteFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Append_LockedByAnother_IsBusyUntilItIsReleased()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("a"));
        using (var other = _folder.Other())
        {
            other.Execute("BEGIN EXCLUSIVE");
            Assert.Equal("busy", (await store.FailAsync(_folder.Batch("b"))).Code);
            Assert.Equal("busy", (await ProbeFailsAsync(store)).Code);
            other.Execute("ROLLBACK");
        }
        await store.ProbeAsync(CancellationToken.None);
        Assert.Equal("2", await store.AddAsync(_folder.Batch("c")));
        Assert.Equal(["a", "c"], await store.TextsAsync());
    }

    [Fact]
    public async Task Open_LockedByAnother_IsBusyUntilItIsReleased()
    {
        await using var store = _folder.Store();
        using (var other = _folder.Other())
        {
            other.Execute("PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE");
            Assert.Equal("busy", (await OpenFailsAsync(store)).Code);
        }
        await store.OpenAsync(CancellationToken.None);
    }

    [Fact]
    public async Task Append_Full_StoresNothingUntilThereIsRoom()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("a"));
        await store.OnWriterAsync(database => database.Execute($"PRAGMA max_page_count = {database.QueryInt64("PRAGMA page_count")}"));
        var failure = await store.FailAsync(_folder.Batch("b", new string('x', 100_000)));
        Assert.Equal("full", failure.Code);
        Assert.Contains(_folder.Database, failure.Message, StringComparison.Ordinal);
        Assert.Equal(["a"], await store.TextsAsync());
        await store.OnWriterAsync(database => database.Execute("PRAGMA max_page_count = 1000000"));
        Assert.Equal("2", await store.AddAsync(_folder.Batch("c")));
    }

    [Fact]
    public async Task Append_NotAllowedToWrite_IsReadOnlyAndRecovers()
    {
        await using var store = _folder.Store();
        await store.OpenAsync(CancellationToken.None);
        await store.OnWriterAsync(database => database.Execute("PRAGMA query_only = 1"));
        Assert.Equal("read-only", (await store.FailAsync(_folder.Batch("a"))).Code);
        await store.AddAsync(_folder.Batch("b"));
        Assert.Equal(["b"], await store.TextsAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("-wal")]
    [InlineData("*")]
    public async Task Append_DeletedWhileOpen_FailsAndThenStoresInWhatIsThere(string which)
    {
        await using (var store = _folder.Store())
        {
            await store.AddAsync(_folder.Batch("a"));
            await store.TextsAsync();
            if (which == "*") File.Delete(_folder.Database + "-shm");
            if (which is "*" or "-wal") File.Delete(_folder.Database + "-wal");
            if (which is "*" or "") File.Delete(_folder.Database);
            Assert.Equal("unavailable", (await store.FailAsync(_folder.Batch("b"))).Code);
            await store.AddAsync(_folder.Batch("c"));
            Assert.Equal("c", (await store.TextsAsync())[^1]);
        }
        await using var again = _folder.Store();
        Assert.Equal("c", (await again.TextsAsync())[^1]);
        await again.OnWriterAsync(database => Assert.Equal("ok", database.Query("PRAGMA integrity_check")));
    }

    [Fact]
    public async Task Append_ReplacedWhileOpen_FailsAndThenStoresInTheOther()
    {
        var copy = _folder.Database + ".copy";
        await using (var store = _folder.Store()) await store.AddAsync(_folder.Batch("a"));
        File.Copy(_folder.Database, copy);
        await using (var store = _folder.Store())
        {
            await store.AddAsync(_folder.Batch("b"));
            File.Move(copy, _folder.Database, overwrite: true);
            Assert.Equal("unavailable", (await ProbeFailsAsync(store)).Code);
            await store.AddAsync(_folder.Batch("c"));
            Assert.Equal("c", (await store.TextsAsync())[^1]);
            await store.OnWriterAsync(database => Assert.Equal("ok", database.Query("PRAGMA integrity_check")));
        }
    }

    /// <summary>A copy, or a restored log, that takes the name of the log: the open one is lost with the process.</summary>
    [Fact]
    public async Task Append_LogReplacedWhileOpen_FailsAndThenStoresInWhatIsThere()
    {
        await using (var store = _folder.Store())
        {
            await store.AddAsync(_folder.Batch("a"));
            await store.TextsAsync();
            File.Copy(_folder.Database + "-wal", _folder.Database + "-copy");
            File.Move(_folder.Database + "-copy", _folder.Database + "-wal", overwrite: true);
            Assert.Equal("unavailable", (await store.FailAsync(_folder.Batch("b"))).Code);
            await store.AddAsync(_folder.Batch("c"));
            Assert.Equal("c", (await store.TextsAsync())[^1]);
        }

        await using var again = _folder.Store();
        Assert.Equal("c", (await again.TextsAsync())[^1]);
        await again.OnWriterAsync(database => Assert.Equal("ok", database.Query("PRAGMA integrity_check")));
    }

    [Fact]
    public async Task Append_AfterALongReadOfAnother_TheLogShrinksToItsLimit()
    {
        var megabyte = new string('x', 1 << 20);
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("a"));
        using (var other = _folder.Other())
        {
            other.Execute("BEGIN");
            Assert.Equal(1, other.QueryInt64("SELECT count(*) FROM logs"));
            for (var i = 0; i < 10; i++) await store.AddAsync(_folder.Batch([.. Enumerable.Repeat(megabyte, 7)]));
            Assert.InRange(LogBytes(), SqliteWriter.MaxIdleLogBytes + 1, long.MaxValue);
        }

        for (var i = 0; i < 3; i++) await store.AddAsync(_folder.Batch("b"));
        Assert.InRange(LogBytes(), 0, SqliteWriter.MaxIdleLogBytes);

        long LogBytes() => new FileInfo(_folder.Database + "-wal").Length;
    }

    [Fact]
    public async Task Log_StoreOpensAgain_StatesTheVersionOfSqliteOnce()
    {
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Batch("a"));
        File.Delete(_folder.Database);
        await store.FailAsync(_folder.Batch("b"));
        await store.AddAsync(_folder.Batch("c"));

        Assert.Equal(2, _folder.Log.Collector.Named("SqliteOpened").Length);
        var version = Assert.Single(_folder.Log.Collector.Named("SqliteLibraryLoaded")).GetStructuredStateValue("Version");
        Assert.Equal(Version(), version);
        Assert.StartsWith("3.53.", version, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_NoDatabaseButAText_IsCorruptUntilItIsRemoved()
    {
        await File.WriteAllTextAsync(_folder.Database, string.Concat(Enumerable.Repeat("not a database\n", 100)));
        await using var store = _folder.Store();
        Assert.Equal("corrupt", (await OpenFailsAsync(store)).Code);
        File.Delete(_folder.Database);
        await store.OpenAsync(CancellationToken.None);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public async Task Append_DamagedPage_IsCorruptUntilACopyIsRestored(int offset)
    {
        await using (var store = _folder.Store()) await store.AddAsync(_folder.Batch([.. Enumerable.Repeat(new string('x', 1000), 100)]));
        var good = await File.ReadAllBytesAsync(_folder.Database);
        await File.WriteAllBytesAsync(_folder.Database, [.. good[..offset], .. Enumerable.Repeat((byte)0xEE, 64), .. good[(offset + 64)..]]);
        await using var again = _folder.Store();
        Assert.Equal("corrupt", (await again.FailAsync(_folder.Batch("a"))).Code);
        await File.WriteAllBytesAsync(_folder.Database, good);
        Assert.Equal("101", await again.AddAsync(_folder.Batch("a")));
    }

    [Fact]
    public async Task Open_NewerVersion_IsRefusedAndUnchanged()
    {
        await using (var store = _folder.Store()) await store.OpenAsync(CancellationToken.None);
        using (var other = _folder.Other()) other.Execute("PRAGMA user_version = 2");
        var before = await File.ReadAllBytesAsync(_folder.Database);
        await using (var store = _folder.Store()) Assert.Contains("has version 2", (await OpenFailsAsync(store)).Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(_folder.Database));
    }

    [Theory]
    [InlineData("CREATE TABLE logs(id)")]
    [InlineData("CREATE TABLE t(id); PRAGMA user_version = 1")]
    [InlineData("PRAGMA application_id = 1")]
    public async Task Open_DatabaseOfAnother_IsRefusedAndUnchanged(string sql)
    {
        using (var other = _folder.Other()) other.Execute(sql);
        var before = await File.ReadAllBytesAsync(_folder.Database);
        await using var store = _folder.Store();
        Assert.Contains("another program", (await OpenFailsAsync(store)).Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(_folder.Database));
    }

    [Theory]
    [InlineData("")]
    [InlineData("file/records.db")]
    public async Task Open_PathThatCannotBeAFile_IsUnavailable(string below)
    {
        var folder = Path.GetDirectoryName(_folder.Database)!;
        await File.WriteAllTextAsync(Path.Combine(folder, "file"), "");
        await using var store = _folder.Store(path: Path.Combine(folder, below));
        var failure = await OpenFailsAsync(store);
        Assert.Equal("unavailable", failure.Code);
        Assert.Contains(folder, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10, "unavailable")]
    [InlineData(1034, "unavailable")]
    [InlineData(13, "full")]
    [InlineData(517, "busy")]
    [InlineData(6, "busy")]
    [InlineData(1032, "read-only")]
    [InlineData(3, "read-only")]
    [InlineData(14, "unavailable")]
    [InlineData(267, "corrupt")]
    [InlineData(26, "corrupt")]
    [InlineData(1, "unavailable")]
    public void From_Result_SaysCodePathAndCure(int result, string code)
    {
        var failure = SqliteFailure.From("/data/records.db", result, "words");
        Assert.Equal(code, failure.Code);
        Assert.StartsWith($"/data/records.db: words (SQLite {result}). ", failure.Message, StringComparison.Ordinal);
    }

    private string Version()
    {
        using var other = _folder.Other();
        return other.Query("SELECT sqlite_version()");
    }

    /// <summary>4874: the -shm file could not be extended.</summary>
    [Theory]
    [InlineData(4874, true, "unavailable")]
    [InlineData(4874, false, "full")]
    [InlineData(13, true, "full")]
    [InlineData(1034, false, "unavailable")]
    public void From_ResultAndRoom_IsFullOnlyWithoutRoom(int result, bool hasRoom, string code) =>
        Assert.Equal(code, SqliteFailure.From("/data/records.db", result, "words", hasRoom).Code);

    private static Task<RecordStoreException> OpenFailsAsync(SqliteRecordStore store) => Assert.ThrowsAsync<RecordStoreException>(() => store.OpenAsync(CancellationToken.None));

    private static Task<RecordStoreException> ProbeFailsAsync(SqliteRecordStore store) => Assert.ThrowsAsync<RecordStoreException>(() => store.ProbeAsync(CancellationToken.None));
}

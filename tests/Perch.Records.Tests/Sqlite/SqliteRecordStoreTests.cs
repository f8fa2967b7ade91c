using System.Text;

namespace Perch.Records.Tests.Sqlite;

public sealed class SqliteRecordStoreTests : IDisposable
{
    private readonly SqliteFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("hi")]
    [InlineData("")]
    [InlineData("データ 🐟")]
    [InlineData("'); DROP TABLE logs; --")]
    [InlineData("two\r\nlines\t\u001b")]
    [InlineData("@sensor/1 not keyed here")]
    public async Task Append_Text_ComesBackAsItIs(string text)
    {
        await using var store = _folder.Store();
        Assert.Equal("1", await store.AddAsync(_folder.Batch(text)));
        Assert.Equal([new(1, _folder.Time.GetUtcNow(), "lines", "192.0.2.1:4711", text, null)], await store.ListAsync());
    }

    [Theory]
    [InlineData("610062", "a\uFFFDb")]
    [InlineData("00", "\uFFFD")]
    [InlineData("61FF62", "a\uFFFDb")]
    [InlineData("C3", "\uFFFD")]
    [InlineData("F09F90", "\uFFFD")]
    [InlineData("EDA080", "\uFFFD\uFFFD\uFFFD")]
    [InlineData("C080FEE38387", "\uFFFD\uFFFD\uFFFDデ")]
    public async Task Append_NotText_KeepsTheBytesBesideTheReplaced(string hex, string text)
    {
        var bytes = Convert.FromHexString(hex);
        await using var store = _folder.Store();
        // What follows in the same batch has no raw bytes again.
        var batch = _folder.Bytes(bytes);
        batch.Add(new("next"u8.ToArray()), keyed: false);
        await store.AddAsync(batch);
        var records = await store.ListAsync();
        Assert.Equal([text, "next"], records.Select(r => r.Data));
        Assert.Equal([bytes, null], records.Select(r => r.Raw));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Append_Megabyte_ComesBackByteForByte(bool text)
    {
        var bytes = new byte[1024 * 1024];
        new Random(7).NextBytes(bytes);
        if (text) bytes = [.. bytes.Select(b => (byte)('a' + (b % 26)))];
        await using var store = _folder.Store();
        await store.AddAsync(_folder.Bytes(bytes));
        var record = await store.FindAsync(1, CancellationToken.None);
        Assert.Equal(bytes, record!.Raw ?? Encoding.UTF8.GetBytes(record.Data));
        Assert.Equal(text, record.Raw is null);
    }

    [Fact]
    public async Task Append_Batches_GiveAscendingIdsInOrder()
    {
        await using var store = _folder.Store();
        RecordBatch[] batches = [_folder.Batch("a", "b"), _folder.Batch(), _folder.Batch("other", false, "c")];
        await store.AppendAsync(batches, CancellationToken.None);
        Assert.Equal([1L, 2L, 3L], [batches[0].Id(0), batches[0].Id(1), batches[2].Id(0)]);
        Assert.Equal(["a", "b", "c"], await store.TextsAsync());
        Assert.Equal("other", (await store.FindAsync(3, CancellationToken.None))!.Endpoint);
    }

    [Fact]
    public async Task Append_AfterTheNewestWasDeletedAndARestart_GivesNewIds()
    {
        await using (var store = _folder.Store())
        {
            await store.AddAsync(_folder.Batch("a", "b", "c"));
            using (var other = _folder.Other()) other.Execute("DELETE FROM logs WHERE id = 3; DELETE FROM logs WHERE id = 2");
            Assert.Equal("4", await store.AddAsync(_folder.Batch("d")));
            using (var other = _folder.Other()) other.Execute("DELETE FROM logs");
        }
        await using var again = _folder.Store();
        Assert.Equal("5", await again.AddAsync(_folder.Batch("e")));
    }

    [Fact]
    public async Task Append_ManyMessages_AllocatesNothingForEach()
    {
        await using var store = _folder.Store();
        RecordBatch[] few = [_folder.Batch([.. Enumerable.Repeat(new string('x', 100), 10)])];
        RecordBatch[] many = [_folder.Batch([.. Enumerable.Repeat(new string('x', 100), 5_000)])];
        await MeasureAsync(few);
        await MeasureAsync(many);
        Assert.InRange(await MeasureAsync(many) - await MeasureAsync(few), -2000, 2000);

        async Task<long> MeasureAsync(RecordBatch[] batches)
        {
            var (before, after) = (0L, 0L);
            await store.OnWriterAsync(_ => before = GC.GetAllocatedBytesForCurrentThread());
            await store.AppendAsync(batches, CancellationToken.None);
            await store.OnWriterAsync(_ => after = GC.GetAllocatedBytesForCurrentThread());
            return after - before;
        }
    }

    [Fact]
    public async Task Append_CancelledWhileItWaits_IsNotStored()
    {
        await using var store = _folder.Store();
        await store.OpenAsync(CancellationToken.None);
        using var release = new ManualResetEventSlim();
        using var cancel = new CancellationTokenSource();
        var held = store.OnWriterAsync(_ => release.Wait());
        var append = store.AppendAsync([_folder.Batch("late")], cancel.Token);
        await cancel.CancelAsync();
        release.Set();
        await held;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => append);
        Assert.Empty(await store.ListAsync());
    }

    [Fact]
    public async Task Append_AnotherStoreHasTheFile_IsRefusedUntilThatIsClosed()
    {
        var one = _folder.Store();
        await using var two = _folder.Store();
        await one.AddAsync(_folder.Batch("a"));

        var refused = await Assert.ThrowsAsync<RecordStoreException>(() => two.AddAsync(_folder.Batch("b")));
        Assert.Equal("unavailable", refused.Code);
        Assert.StartsWith($"{_folder.Database} is in use by another Perch process", refused.Message, StringComparison.Ordinal);
        Assert.Equal("2", await one.AddAsync(_folder.Batch("c")));
        Assert.Equal(["a", "c"], await two.TextsAsync());

        await one.DisposeAsync();
        Assert.Equal("3", await two.AddAsync(_folder.Batch("d")));
    }

    [Fact]
    public async Task Append_AnotherStoreHasTheFileUnderALink_IsRefused()
    {
        await using var one = _folder.Store();
        await one.AddAsync(_folder.Batch("a"));
        var link = _folder.Database + "-link";
        File.CreateSymbolicLink(link, _folder.Database);
        await using var two = _folder.Store(path: link);

        var refused = await Assert.ThrowsAsync<RecordStoreException>(() => two.AddAsync(_folder.Batch("b")));
        Assert.Contains("in use by another Perch process", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_WithAppendsInHand_FinishesThemAndLeavesTheDatabaseAndItsLock()
    {
        var store = _folder.Store();
        var appends = Enumerable.Range(0, 20).Select(i => store.AppendAsync([_folder.Batch($"{i}")], CancellationToken.None)).ToArray();
        await store.DisposeAsync();
        await Task.WhenAll(appends);
        var files = Directory.GetFiles(Path.GetDirectoryName(_folder.Database)!).Select(Path.GetFileName);
        Assert.Equal(["records.db", "records.db-lock"], files.Order(StringComparer.Ordinal));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => store.AppendAsync([_folder.Batch("late")], CancellationToken.None));
        await using var again = _folder.Store();
        Assert.Equal(20, (await again.ListAsync()).Count);
    }

    [Fact]
    public async Task Open_FolderThatIsNotThere_IsMadeWithADurableDatabase()
    {
        await using var store = _folder.Store(path: Path.Combine(Path.GetDirectoryName(_folder.Database)!, "a", "b", "r.db"));
        await store.OpenAsync(CancellationToken.None);
        await store.ProbeAsync(CancellationToken.None);
        await store.OnWriterAsync(database =>
        {
            Assert.Equal(("wal", 2L, 1L), (database.Query("PRAGMA journal_mode"), database.QueryInt64("PRAGMA synchronous"), database.QueryInt64("PRAGMA user_version")));
            Assert.Equal("ok", database.Query("PRAGMA integrity_check"));
        });
    }
}

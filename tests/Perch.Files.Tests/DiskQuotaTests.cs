using Perch.Tests.Shared;
using static Perch.Files.Disk.DiskQuota;

namespace Perch.Files.Tests;

public sealed class DiskQuotaTests : IDisposable
{
    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task MaxFileBytes_OneTooMany_IsRefusedBeforeOrDuringTheUpload()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxFileBytes = 10 });
        await store.PutAsync("a", new byte[10]);
        await store.PutAsync("b", new byte[11]).RefusedAsync("quota");
        await using var unannounced = await store.BeginAsync(new(FileFolder.Name("c")), default);
        await unannounced.AppendAsync(new(new byte[10]));
        await unannounced.AppendAsync(new(new byte[1])).AsTask().RefusedAsync("quota");
        await unannounced.AbortAsync();
        Assert.Equal(new(1, 10, 0), store.Totals);
    }

    [Fact]
    public async Task MaxBytes_WithUploadsOnTheirWay_CountsWhatTheyWerePromised()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 100 });
        await store.PutAsync("a", new byte[40]);
        await using var upload = await store.BeginAsync(new(FileFolder.Name("b")) { Length = 60 }, default);
        await store.PutAsync("c", new byte[1]).RefusedAsync("quota");
        await upload.AppendAsync(new(new byte[20]));
        await store.PutAsync("c", new byte[1]).RefusedAsync("quota");
        // Left, it keeps what it has and not what it was promised.
        await upload.DisposeAsync();
        await store.PutAsync("c", new byte[40]);
        Assert.Equal(20, (await store.StatAsync("b")).Partial);
        // A new version of a file counts for what it is longer, and what is idle makes room.
        await store.PutAsync("a", new byte[40]);
        await store.PutAsync("a", new byte[60]);
        await store.PutAsync("a", new byte[61]).RefusedAsync("quota");
        Assert.Equal(new(2, 100, 0), store.Totals);
    }

    [Fact]
    public async Task MaxFiles_OneTooMany_IsRefusedUnlessItReplaces()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxFiles = 2 });
        await store.PutAsync("a", "1");
        await store.PutAsync("b", "1");
        await store.PutAsync("c", "1").RefusedAsync("quota");
        await store.PutAsync("b", "2");
        await store.DeleteAsync("a");
        await store.PutAsync("c", "1");
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(1L << 62)]
    public async Task Length_BeyondTheDisk_IsRefusedWithoutAnOverflow(long length)
    {
        await using var limited = await _folder.OpenAsync(new() { MinFreeBytes = 1, MaxBytes = long.MaxValue });
        await limited.PutAsync("a", "1");
        await limited.BeginAsync(new(FileFolder.Name("b")) { Length = length }, default).RefusedAsync(length == long.MaxValue ? "quota" : "full");
        Assert.Equal(new(1, 1, 0), limited.Totals);
    }

    [Fact]
    public async Task MinFreeBytes_AtTheFloor_IsFullAndTheUploadCanBeResumedWhenThereIsSpace()
    {
        const long space = 1000 + OverheadBytes;
        var free = space;
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 900 }, freeBytes: () => Volatile.Read(ref free));
        await store.ProbeAsync(default);
        await store.PutAsync("a", new byte[101]).RefusedAsync("full");
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 100 }, default);
        await store.PutAsync("b", new byte[1]).RefusedAsync("full");
        await upload.AppendAsync(new(new byte[50]));
        Volatile.Write(ref free, 899);
        await store.ProbeAsync(default).RefusedAsync("full");
        await upload.DisposeAsync();
        await store.BeginAsync(new(FileFolder.Name("a")) { Length = 100, Offset = 50 }, default).RefusedAsync("full");
        Volatile.Write(ref free, space);
        await using var resumed = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 100, Offset = 50 }, default);
        await resumed.AppendAsync(new(new byte[50]));
        await resumed.CompleteAsync();
        Assert.Equal(100, (await store.StatAsync("a")).File!.Length);
    }

    /// <summary>The disk has as many free bytes as the store has not written. The uploads are left, because a rename would hide a file from the count.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MinFreeBytes_ManyUploadsAtOnce_IsAFloor(bool isAnnounced)
    {
        const long disk = 40_000_000, floor = 10_000_000;
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = floor }, freeBytes: () => disk - _folder.Written());
        var (bytes, whole) = (new byte[512 * 1024], 0);
        await Parallel.ForAsync(0, 100, new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (i, _) =>
        {
            try
            {
                await using var upload = await store.BeginAsync(new(FileFolder.Name($"f{i}")) { Length = isAnnounced ? 4L * bytes.Length : null }, default);
                for (var part = 0; part < 4; part++)
                {
                    await upload.AppendAsync(new(bytes));
                    Assert.InRange(disk - _folder.Written(), floor, disk);
                }

                Interlocked.Increment(ref whole);
            }
            catch (FileStoreException exception) when (exception.Code == "full")
            {
                // Refused, or left with what it has.
            }
        });

        Assert.InRange(disk - _folder.Written(), floor, disk);
        Assert.InRange(_folder.Written(), 20_000_000, disk - floor);
        if (isAnnounced) Assert.InRange(whole, 10, 14);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task MaxBytes_ManyUploadsAtOnce_IsNeverExceeded(bool isAnnounced)
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 1_000_000 });
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (i, _) =>
        {
            try
            {
                await using var upload = await store.BeginAsync(new(FileFolder.Name($"f{i}")) { Length = isAnnounced ? 40_000 : null }, default);
                for (var part = 0; part < 4; part++) await upload.AppendAsync(new(new byte[10_000]));
                await upload.CompleteAsync();
            }
            catch (FileStoreException exception) when (exception.Code == "quota")
            {
                // Refused, or left for another to go on.
            }

            Assert.InRange(store.Totals.Bytes, 0, 1_000_000);
        });

        Assert.InRange(store.Totals.Bytes, 900_000, 1_000_000);
    }

    [Fact]
    public async Task MaxFiles_ManyUploadsAtOnce_IsNeverExceeded()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxFiles = 10 });
        var uploads = new List<IFileUpload>();
        for (var i = 0; i < 10; i++) uploads.Add(await store.BeginAsync(new(FileFolder.Name($"f{i}")), default));
        await store.PutAsync("f10", "1").RefusedAsync("quota");
        foreach (var upload in uploads) await upload.CompleteAsync();
        foreach (var upload in uploads) await upload.DisposeAsync();

        // Begun as a new version of a file that is deleted meanwhile, while another one takes its place.
        await using var late = await store.BeginAsync(new(FileFolder.Name("f0")), default);
        await store.DeleteAsync("f0");
        await store.PutAsync("f10", "1");
        await late.CompleteAsync().RefusedAsync("quota");
        Assert.Equal(10, store.Totals.Files);
    }

    [Fact]
    public async Task MaxBytes_MoreThanWasAnnounced_CountsAll()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 100 });
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 1 }, default);
        await upload.AppendAsync(new(new byte[100]));
        await upload.AppendAsync(new(new byte[1])).AsTask().RefusedAsync("quota");
        await store.PutAsync("b", new byte[1]).RefusedAsync("quota");
        await upload.DisposeAsync();
        Assert.Equal(new(0, 100, 1), store.Totals);
    }
}

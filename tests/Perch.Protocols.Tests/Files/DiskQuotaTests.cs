
namespace Perch.Protocols.Tests.Files;

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
        await store.PutAsync("d", new byte[1]).RefusedAsync("quota");
        // A new version of a file counts for what it is longer.
        await store.PutAsync("a", new byte[40]);
        await store.DeleteAsync("b");
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

    [Fact]
    public async Task MaxPartials_OneTooMany_IsRefusedUnlessItResumes()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartials = 2 });
        await store.LeaveAsync("a", new byte[1], 2);
        await store.LeaveAsync("b", new byte[1], 2);
        await store.PutAsync("c", "1").RefusedAsync("quota");
        await store.LeaveAsync("a", new byte[1], 3, offset: 1);
        Assert.Equal(2, (await store.StatAsync("a")).Partial);
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
        var free = 1000L;
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
        Volatile.Write(ref free, 1000);
        await using var resumed = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 100, Offset = 50 }, default);
        await resumed.AppendAsync(new(new byte[50]));
        await resumed.CompleteAsync();
        Assert.Equal(100, (await store.StatAsync("a")).File!.Length);
    }
}

using Microsoft.Extensions.Time.Testing;
using Perch.Files.Disk;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class DiskFileStoreTests : IDisposable
{
    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a", 0)]
    [InlineData("a", 1)]
    [InlineData("写真/夏 休み/海.jpg", 1_000_000)]
    [InlineData("%2e%2e/CON", 3)]
    public async Task Put_File_IsThereToTheByteWithWhatIsKnownOfIt(string name, int length)
    {
        var bytes = FileFolder.Bytes(length);
        await using var store = await _folder.OpenAsync();
        var file = await store.PutAsync(name, bytes, FileFolder.Hash(bytes));
        Assert.Equal((name, length, FileFolder.Hash(bytes), "test", "192.0.2.1:5"), (file.Name.Value, file.Length, file.Sha256, file.Endpoint, file.Remote));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(_folder.PathOf(name)));
        Assert.Equal(bytes, await store.ReadAsync(name));
        Assert.Equal(new(file, 0), await store.StatAsync(name));
        Assert.Empty(_folder.Own("uploads"));
        Assert.Empty(_folder.Own("next"));
        Assert.Equal(new(1, length, 0), store.Totals);
    }

    [Fact]
    public async Task Restart_EverythingThatIsKnown_Survives()
    {
        StoredFile file;
        await using (var store = await _folder.OpenAsync())
        {
            file = await store.PutAsync("photos/a", "whole");
            await store.LeaveAsync("b", "half"u8.ToArray(), 8);
        }

        await using var again = await _folder.OpenAsync();
        Assert.Equal(new(file, 0), await again.StatAsync("photos/a"));
        Assert.Equal(new(null, 4), await again.StatAsync("b"));
        Assert.Equal(new(1, 9, 1), again.Totals);
        await using var upload = await again.BeginAsync(new(FileFolder.Name("b")) { Length = 8, Offset = 4, Sha256 = FileFolder.Hash("halfmore"u8) }, default);
        await upload.AppendAsync(new("more"u8.ToArray()));
        await upload.CompleteAsync();
        Assert.Equal("halfmore", await again.ReadTextAsync("b"));
        Assert.Equal(new(2, 13, 0), again.Totals);
    }

    [Fact]
    public async Task Put_OverAFile_ReplacesItWholeAndReadersKeepTheOld()
    {
        var (old, fresh) = (FileFolder.Bytes(300_000, 1), FileFolder.Bytes(200_000, 2));
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a", old);
        await using var reader = await store.OpenReadAsync(FileFolder.Name("a"), default);
        await store.PutAsync("a", fresh);
        Assert.Equal(old, await reader!.ReadAllAsync());
        Assert.Equal(FileFolder.Hash(old), reader!.File.Sha256);
        Assert.Equal(fresh, await store.ReadAsync("a"));
        await store.DeleteAsync("a");
        Assert.Equal(old, await reader!.ReadAllAsync());
        Assert.Equal(new(0, 0, 0), store.Totals);
    }

    [Fact]
    public async Task TwoUploads_OfOneName_TheLaterToFinishWinsAndNoneIsMixed()
    {
        await using var store = await _folder.OpenAsync();
        await using var first = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 6 }, default);
        await using var second = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 6 }, default);
        await first.AppendAsync(new("one"u8.ToArray()));
        await second.AppendAsync(new("two"u8.ToArray()));
        await first.AppendAsync(new("ONE"u8.ToArray()));
        await second.AppendAsync(new("TWO"u8.ToArray()));
        await second.CompleteAsync();
        Assert.Equal("twoTWO", await store.ReadTextAsync("a"));
        await first.CompleteAsync();
        Assert.Equal("oneONE", await store.ReadTextAsync("a"));
        Assert.Equal(new(1, 6, 0), store.Totals);
        Assert.Empty(_folder.Own("uploads"));
    }

    [Fact]
    public async Task Resume_OfAnUploadThatIsStillWritten_TakesItOver()
    {
        await using var store = await _folder.OpenAsync();
        await using var first = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 6 }, default);
        await first.AppendAsync(new("onex"u8.ToArray()));
        Assert.Equal(4, (await store.StatAsync("a")).Partial);
        await using var second = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 6, Offset = 3 }, default);
        await first.AppendAsync(new("y"u8.ToArray())).AsTask().RefusedAsync("superseded");
        await first.CompleteAsync().RefusedAsync("superseded");
        await first.DisposeAsync();
        await second.AppendAsync(new("two"u8.ToArray()));
        Assert.Equal(FileFolder.Hash("onetwo"u8), (await second.CompleteAsync()).Sha256);
        Assert.Equal("onetwo", await store.ReadTextAsync("a"));
        Assert.Equal(new(1, 6, 0), store.Totals);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Resume_BehindWhatIsThere_IsRefusedAndNothingChanges(long have)
    {
        await using var store = await _folder.OpenAsync();
        await store.LeaveAsync("a", FileFolder.Bytes((int)have), 10);
        var refusal = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = have + 1 }, default).RefusedAsync("offset");
        Assert.StartsWith($"{have} bytes", refusal.Text, StringComparison.Ordinal);
        await store.BeginAsync(new(FileFolder.Name("b")) { Length = 10, Offset = 1 }, default).RefusedAsync("offset");
        Assert.Equal(have, (await store.StatAsync("a")).Partial);
    }

    [Fact]
    public async Task Complete_WrongHash_PublishesNothingAndLeavesNothing()
    {
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a", "old");
        await store.PutAsync("a", "new"u8.ToArray(), FileFolder.Hash("other"u8)).RefusedAsync("checksum");
        Assert.Equal("old", await store.ReadTextAsync("a"));
        Assert.Equal(0, (await store.StatAsync("a")).Partial);
        Assert.Empty(_folder.Own("uploads"));
        Assert.Equal(new(1, 3, 0), store.Totals);
    }

    [Fact]
    public async Task Conflict_FileAndFolderOfOneName_IsToldBeforeTheBytes()
    {
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a/b", "x");
        await store.PutAsync("a", "x").RefusedAsync("conflict");
        await store.PutAsync("a/b/c", "x").RefusedAsync("conflict");
        // Begun before there was one.
        await using var late = await store.BeginAsync(new(FileFolder.Name("c")) { Length = 1 }, default);
        await store.PutAsync("c/d", "x");
        await late.AppendAsync(new("x"u8.ToArray()));
        await late.CompleteAsync().RefusedAsync("conflict");
        Assert.Equal(["a/b", "c/d"], await store.NamesAsync());
    }

    [Fact]
    public async Task Delete_LastFileOfFolders_TakesTheFoldersToo()
    {
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a/b/c", "x");
        await store.PutAsync("a/d", "x");
        Assert.True(await store.DeleteAsync("a/b/c"));
        Assert.False(await store.DeleteAsync("a/b/c"));
        Assert.False(Directory.Exists(_folder.PathOf("a/b")));
        Assert.True(await store.DeleteAsync("a/d"));
        Assert.False(Directory.Exists(_folder.PathOf("a")));
        await store.PutAsync("a/b/c", "y");
        Assert.Equal("y", await store.ReadTextAsync("a/b/c"));
    }

    [Fact]
    public async Task Delete_UnfinishedUpload_DropsIt()
    {
        await using var store = await _folder.OpenAsync();
        await store.LeaveAsync("a", "abc"u8.ToArray(), 10);
        Assert.True(await store.DeleteAsync("a"));
        Assert.Equal(new(null, 0), await store.StatAsync("a"));
        Assert.Equal(new(0, 0, 0), store.Totals);
    }

    [Fact]
    public async Task Trim_UnfinishedUploads_GoWhenTheyAreOldAndNobodyWritesThem()
    {
        var time = new FakeTimeProvider();
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, AbandonAfter = TimeSpan.FromHours(1) }, time);
        await store.LeaveAsync("old", "abc"u8.ToArray(), 10);
        await using var written = await store.BeginAsync(new(FileFolder.Name("written")) { Length = 10 }, default);
        time.Advance(TimeSpan.FromMinutes(50));
        await store.LeaveAsync("young", "abc"u8.ToArray(), 10);
        Assert.Equal(0, await store.TrimAsync(default));
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(1, await store.TrimAsync(default));
        Assert.Equal((0, 3), ((await store.StatAsync("old")).Partial, (await store.StatAsync("young")).Partial));
        Assert.Equal(2, store.Totals.Partials);
    }

    [Fact]
    public async Task Trim_WallClockJumps_KeepsUnfinishedUploads()
    {
        var time = new JumpingTime();
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, AbandonAfter = TimeSpan.FromHours(3) }, time);
        await store.LeaveAsync("a", "abc"u8.ToArray(), 10);
        time.Jump(TimeSpan.FromDays(400));
        Assert.Equal(0, await store.TrimAsync(default));
        time.Jump(TimeSpan.FromDays(-400));
        Assert.Equal(0, await store.TrimAsync(default));
        time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(0, await store.TrimAsync(default));
        time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(1, await store.TrimAsync(default));
    }

    [Fact]
    public async Task Open_FolderThatAnotherHas_IsRefusedUntilItIsFree()
    {
        await using (await _folder.OpenAsync())
        {
            var refusal = await _folder.OpenAsync().RefusedAsync("unavailable");
            Assert.Contains("in use", refusal.Message, StringComparison.Ordinal);
        }

        await using var store = await _folder.OpenAsync();
    }

    [Fact]
    public async Task Crash_BetweenTheTwoRenames_IsFinishedAtTheStart()
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.PutAsync("a", "old text");
            await store.PutAsync("b", "new");
        }

        // As a crash right after the first rename of an upload of "a" leaves it: b's bytes under a's name, its metadata waiting.
        var inode = Inode("b");
        File.Move(_folder.PathOf("b"), _folder.PathOf("a"), overwrite: true);
        Assert.Equal(inode, Inode("a"));
        var metadata = new DiskMetadata("a", 3, FileFolder.Hash("new"u8), DateTimeOffset.UnixEpoch, "e", "r", inode);
        var key = DiskMetadata.KeyOf(FileFolder.Name("a"));
        using (var root = DiskFolder.OpenRoot(_folder.PathOf(".perch/next"), create: false)) metadata.Write(root, $"{key}.0123456789abcdef");

        await using var again = await _folder.OpenAsync();
        Assert.Equal("new", await again.ReadTextAsync("a"));
        Assert.Equal(metadata.ToFile(FileFolder.Name("a")), (await again.StatAsync("a")).File);
        Assert.Empty(_folder.Own("next"));
        Assert.Empty(await again.FaultsAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Crash_BeforeTheFirstRename_LeavesTheOldFileAndTheUpload(bool torn)
    {
        await using (var store = await _folder.OpenAsync())
        {
            await store.PutAsync("a", "old");
            await store.LeaveAsync("a", "newer"u8.ToArray(), 5);
        }

        var upload = Path.GetFileName(Assert.Single(_folder.Own("uploads")));
        if (torn) await File.WriteAllTextAsync(_folder.PathOf($".perch/next/{upload}"), "{ \"name\": \"a\", \"len");
        else using (var root = DiskFolder.OpenRoot(_folder.PathOf(".perch/next"), create: false))
            new DiskMetadata("a", 5, FileFolder.Hash("newer"u8), DateTimeOffset.UnixEpoch, "e", "r", Inode($".perch/uploads/{upload}")).Write(root, upload);

        await using var again = await _folder.OpenAsync();
        Assert.Equal("old", await again.ReadTextAsync("a"));
        Assert.Equal(5, (await again.StatAsync("a")).Partial);
        Assert.Empty(_folder.Own("next"));
        await using var resumed = await again.BeginAsync(new(FileFolder.Name("a")) { Length = 5, Offset = 5 }, default);
        await resumed.CompleteAsync();
        Assert.Equal("newer", await again.ReadTextAsync("a"));
        Assert.Empty(await again.FaultsAsync());
    }

    [Fact]
    public async Task Open_ForeignThingsInUploads_AreCleared()
    {
        await (await _folder.OpenAsync()).DisposeAsync();
        await File.WriteAllTextAsync(_folder.PathOf(".perch/uploads/probe.1"), "x");
        await File.WriteAllTextAsync(_folder.PathOf($".perch/uploads/{new string('a', 64)}.{new string('b', 16)}"), "");
        await using var store = await _folder.OpenAsync();
        Assert.Empty(_folder.Own("uploads"));
        await store.ProbeAsync(default);
        Assert.Empty(_folder.Own("uploads"));
    }

    [Fact]
    public async Task Verify_EveryKindOfDamage_IsFound()
    {
        await using var store = await _folder.OpenAsync();
        foreach (var name in (string[])["good", "edited", "shorter", "gone", "linked"]) await store.PutAsync(name, "text");
        await store.LeaveAsync("half", "abc"u8.ToArray(), 10);
        Assert.Empty(await store.FaultsAsync());
        await File.WriteAllTextAsync(_folder.PathOf("edited"), "TEXT");
        await File.WriteAllTextAsync(_folder.PathOf("shorter"), "tex");
        File.Delete(_folder.PathOf("gone"));
        File.Delete(_folder.PathOf("linked"));
        File.CreateSymbolicLink(_folder.PathOf("linked"), "/etc/passwd");
        await File.WriteAllTextAsync(_folder.PathOf("foreign"), "x");
        Directory.CreateSymbolicLink(_folder.PathOf("out"), "/etc");
        var findings = await store.FindAsync();
        Assert.Equal(["edited", "foreign", "linked", "out", "shorter"], findings.Where(f => f.IsFault).Select(f => f.Name).Order(StringComparer.Ordinal));
        Assert.Contains(findings, f => f is { IsFault: false, Name: "good" });
        Assert.Contains(findings, f => !f.IsFault && f.Text.Contains("3 bytes can be resumed", StringComparison.Ordinal));
        await store.ReadAsync("shorter").RefusedAsync("corrupt");
        Assert.Null(await store.ReadAsync("gone"));
    }

    private ulong Inode(string name)
    {
        using var folder = DiskFolder.OpenRoot(Path.GetDirectoryName(_folder.PathOf(name))!, create: false);
        return folder.TryStat(Path.GetFileName(name))!.Value.Inode;
    }
}

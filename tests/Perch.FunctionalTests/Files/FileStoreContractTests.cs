using System.Text;
using Microsoft.Extensions.Time.Testing;
using Perch.Files;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files;

/// <summary>What <see cref="IFileStore"/> promises, held against every store.</summary>
public sealed class FileStoreContractTests
{
    /// <summary>Names whose order is not that of their folders' names, nor of their UTF-16.</summary>
    private static readonly string[] Names =
    [
        "a", "a b", "a-b", "a.b/c", "a0", "aa/a", "aa/b/c", "aa/b-c", "aa/b0", "aa/c", "b/\uE000", "b/😀", "b/\uFFFD", "b/é", "写/真", "写真", "z/z/z/z/z", "!", "%2e", "~&+?#=<>\"'", "*",
    ];

    [Theory, DiskData, S3Data]
    public async Task Put_File_IsThereToTheByteWithWhatIsKnownOfIt(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        foreach (var (name, length) in ((string, int)[])[("empty", 0), ("a", 1), ("写真/夏 休み/海.jpg", 1_000_000), ("%2e%2e/CON", 3), (new string('n', 255), 4)])
        {
            var bytes = FileFolder.Bytes(length);
            var file = await scene.Store.PutAsync(name, bytes, FileFolder.Hash(bytes));
            Assert.Equal((name, length, FileFolder.Hash(bytes), "test", "192.0.2.1:5"), (file.Name.Value, file.Length, file.Sha256, file.Endpoint, file.Remote));
            Assert.Equal(bytes, await scene.Store.ReadAsync(name));
            Assert.Equal(new(file, 0), await scene.Store.StatAsync(name));
        }

        Assert.Equal(new(5, 1_000_008, 0), scene.Store.Totals);
        Assert.Null(await scene.Store.ReadAsync("b"));
        Assert.Equal(new(null, 0), await scene.Store.StatAsync("b"));
        Assert.Empty(await scene.Store.FaultsAsync());
    }

    [Theory, DiskData, S3Data]
    public async Task Restart_EverythingThatIsKnown_Survives(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var file = await scene.Store.PutAsync("photos/a", "whole");
        await scene.Store.LeaveAsync("b", "half"u8.ToArray(), 8);
        var store = await scene.ReopenAsync();
        await store.TrimAsync(default);
        Assert.Equal(new(file, 0), await store.StatAsync("photos/a"));
        Assert.Equal(new(null, 4), await store.StatAsync("b"));
        Assert.Equal(new(1, 9, 1), store.Totals);
        await using var upload = await store.BeginAsync(new(FileFolder.Name("b")) { Length = 8, Offset = 4, Sha256 = FileFolder.Hash("halfmore"u8) }, default);
        await upload.AppendAsync(new("more"u8.ToArray()));
        await upload.CompleteAsync();
        Assert.Equal("halfmore", await store.ReadTextAsync("b"));
        Assert.Equal(new(2, 13, 0), store.Totals);
        Assert.Equal(0, (await store.StatAsync("b")).Partial);
    }

    [Theory, DiskData, S3Data]
    public async Task Put_OverAFile_ReplacesItWholeAndReadersKeepTheOld(string kind)
    {
        var (old, fresh) = (FileFolder.Bytes(300_000, 1), FileFolder.Bytes(200_000, 2));
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        await store.PutAsync("a", old);
        await using var reader = await store.OpenReadAsync(FileFolder.Name("a"), default);
        await store.PutAsync("a", fresh);
        Assert.Equal(old, await reader!.ReadAllAsync());
        Assert.Equal(FileFolder.Hash(old), reader!.File.Sha256);
        Assert.Equal(fresh, await store.ReadAsync("a"));
        Assert.Equal(new(1, 200_000, 0), store.Totals);
    }

    [Theory, DiskData, S3Data]
    public async Task OnlyNew_NameThatIsTaken_IsRefusedAndTheFileStays(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        var request = new FileUploadRequest(FileFolder.Name("a")) { OnlyNew = true };
        await using (var upload = await store.BeginAsync(request, default))
        {
            await upload.AppendAsync(new("old"u8.ToArray()));
            await upload.CompleteAsync();
        }

        await store.BeginAsync(request, default).RefusedAsync("exists");
        Assert.Equal("old", await store.ReadTextAsync("a"));
        Assert.True(await store.DeleteAsync(request.Name, default));
        await (await store.BeginAsync(request, default)).DisposeAsync();
        Assert.Equal(new(0, 0, 0), store.Totals);
    }

    [Theory, DiskData, S3Data]
    public async Task OnlyNew_NameThatIsTakenMeanwhile_IsRefusedAndTheFileStays(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        // In one piece, and in parts where a store has them.
        foreach (var length in (int[])[3, 6_000_000])
        {
            var name = $"a{length}";
            await using var upload = await store.BeginAsync(new(FileFolder.Name(name)) { OnlyNew = true }, default);
            await upload.AppendAsync(new(FileFolder.Bytes(length)));
            await store.PutAsync(name, "other");
            await upload.CompleteAsync().RefusedAsync("exists");
            await upload.AbortAsync();
            Assert.Equal("other", await store.ReadTextAsync(name));
        }

        Assert.Equal(new(2, 10, 0), store.Totals);
        Assert.Empty(await store.FaultsAsync());
    }

    [Theory, DiskData, S3Data]
    public async Task Read_AtAnyOffset_IsWhatIsThere(string kind)
    {
        var bytes = FileFolder.Bytes(300_000);
        await using var scene = await StoreScene.OpenAsync(kind);
        await scene.Store.PutAsync("a", bytes);
        await using var reader = await scene.Store.OpenReadAsync(FileFolder.Name("a"), default);
        foreach (var offset in (int[])[299_999, 0, 100_000, 100_001, 5])
        {
            var buffer = new byte[1000];
            var read = await reader!.ReadAsync(offset, buffer, default);
            Assert.InRange(read, 1, 1000);
            Assert.Equal(bytes[offset..(offset + read)], buffer[..read]);
        }
    }

    [Theory, DiskData, S3Data]
    public async Task TwoUploads_OfOneName_TheLaterToFinishWinsAndNoneIsMixed(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
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
    }

    [Theory, DiskData, S3Data]
    public async Task Resume_OfAnUploadThatIsStillWritten_TakesItOver(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
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

    [Theory, DiskData, S3Data]
    public async Task Resume_BehindWhatIsThere_IsRefusedAndNothingChanges(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        await store.LeaveAsync("a", FileFolder.Bytes(5), 10);
        var refusal = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = 6 }, default).RefusedAsync("offset");
        Assert.StartsWith("5 bytes", refusal.Text, StringComparison.Ordinal);
        await store.BeginAsync(new(FileFolder.Name("b")) { Length = 10, Offset = 1 }, default).RefusedAsync("offset");
        Assert.Equal(5, (await store.StatAsync("a")).Partial);
    }

    /// <summary>Unfinished uploads of a peer that has left make room for others, and never one that is on its way.</summary>
    [Theory, DiskData, S3Data]
    public async Task MaxPartials_Reached_DropsIdleUploadsOnly(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind, options => options.MaxPartials = 2);
        var store = scene.Store;
        await store.LeaveAsync("idle", FileFolder.Bytes(5), 10);
        await using var live = await store.BeginAsync(new(FileFolder.Name("live")) { Length = 4 }, default);
        await live.AppendAsync(new("li"u8.ToArray()));

        await store.PutAsync("new", "x");
        Assert.Equal(0, (await store.StatAsync("idle")).Partial);
        Assert.Equal(1, store.Limits.Dropped);
        Assert.Equal("there are 2 unfinished uploads", store.Limits.Reached);
        await store.BeginAsync(new(FileFolder.Name("idle")) { Length = 10, Offset = 5 }, default).RefusedAsync("offset");

        await using (var second = await store.BeginAsync(new(FileFolder.Name("second")) { Length = 4 }, default))
            await store.PutAsync("refused", "x").RefusedAsync("quota");
        await live.AppendAsync(new("ve"u8.ToArray()));
        await live.CompleteAsync();
        Assert.Equal("live", await store.ReadTextAsync("live"));
    }

    [Theory, DiskData, S3Data]
    public async Task MaxBytes_Reached_DropsIdleUploadsIfThatIsEnough(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind, options => options.MaxBytes = 100);
        var store = scene.Store;
        await store.PutAsync("whole", FileFolder.Bytes(20));
        await store.LeaveAsync("a", FileFolder.Bytes(30), 40);
        await store.BeginAsync(new(FileFolder.Name("b")) { Length = 81 }, default).RefusedAsync("quota");
        Assert.Equal(30, (await store.StatAsync("a")).Partial);
        await store.PutAsync("b", FileFolder.Bytes(80));
        Assert.Equal(0, (await store.StatAsync("a")).Partial);
        Assert.Equal(new(2, 100, 0), store.Totals);
    }

    [Theory, DiskData, S3Data]
    public async Task Begin_Anew_MakesWhatWasThereOfNoUse(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        await store.LeaveAsync("a", FileFolder.Bytes(5), 10);
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10 }, default);
        Assert.Equal(0, (await store.StatAsync("a")).Partial);
        await upload.DisposeAsync();
        await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = 5 }, default).RefusedAsync("offset");
        Assert.Equal(new(0, 0, 0), store.Totals);
    }

    [Theory, DiskData, S3Data]
    public async Task Complete_WrongHash_PublishesNothingAndLeavesNothing(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        await store.PutAsync("a", "old");
        await store.PutAsync("a", "new"u8.ToArray(), FileFolder.Hash("other"u8)).RefusedAsync("checksum");
        Assert.Equal("old", await store.ReadTextAsync("a"));
        Assert.Equal(0, (await store.StatAsync("a")).Partial);
        Assert.Equal(new(1, 3, 0), store.Totals);
    }

    [Theory, DiskData, S3Data]
    public async Task Abort_Upload_LeavesNothing(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        await using var upload = await scene.Store.BeginAsync(new(FileFolder.Name("a")), default);
        await upload.AppendAsync(new("abc"u8.ToArray()));
        Assert.Equal(3, (await scene.Store.StatAsync("a")).Partial);
        await upload.AbortAsync();
        Assert.Equal(new(null, 0), await scene.Store.StatAsync("a"));
        Assert.Equal(new(0, 0, 0), scene.Store.Totals);
    }

    [Theory, DiskData, S3Data]
    public async Task Delete_FileAndUnfinishedUpload_AreGone(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        await store.PutAsync("a/b/c", "x");
        await store.LeaveAsync("half", "abc"u8.ToArray(), 10);
        Assert.True(await store.DeleteAsync("a/b/c"));
        Assert.False(await store.DeleteAsync("a/b/c"));
        Assert.True(await store.DeleteAsync("half"));
        Assert.Equal(new(null, 0), await store.StatAsync("half"));
        Assert.Equal(new(0, 0, 0), store.Totals);
        await store.PutAsync("a/b/c", "y");
        Assert.Equal("y", await store.ReadTextAsync("a/b/c"));
    }

    [Theory, DiskData, S3Data]
    public async Task Trim_UnfinishedUploads_GoWhenTheyAreOldAndNobodyWritesThem(string kind)
    {
        // The stores date the uploads by the clocks of the machine and of S3.
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var scene = await StoreScene.OpenAsync(kind, options => options.AbandonAfter = TimeSpan.FromHours(1), time);
        var store = scene.Store;
        await store.LeaveAsync("old", "abc"u8.ToArray(), 10);
        await using var written = await store.BeginAsync(new(FileFolder.Name("written")) { Length = 10 }, default);
        await written.AppendAsync(new("abc"u8.ToArray()));
        Assert.Equal(3, (await store.StatAsync("written")).Partial);
        Assert.Equal(0, await store.TrimAsync(default));
        time.Advance(TimeSpan.FromHours(2));
        Assert.Equal(1, await store.TrimAsync(default));
        Assert.Equal((0, 3), ((await store.StatAsync("old")).Partial, (await store.StatAsync("written")).Partial));
        Assert.Equal(1, store.Totals.Partials);
    }

    [Theory, DiskData, S3Data]
    public async Task List_PageByPage_IsEveryNameOnceInTheOrderOfTheirBytes(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        foreach (var name in Names.Reverse()) await store.PutAsync(name, name);
        await store.LeaveAsync("half", "x"u8.ToArray(), 2);
        var expected = Names.OrderBy(n => n, Comparer<string>.Create((x, y) => Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y)))).ToArray();
        foreach (var limit in (int[])[1, 3, 1000])
        {
            var listed = new List<string>();
            while (await store.NamesAsync(after: listed.LastOrDefault() ?? "", limit: limit) is { Length: > 0 } page)
            {
                Assert.InRange(page.Length, 1, limit);
                listed.AddRange(page);
            }

            Assert.Equal(expected, listed);
        }

        foreach (var prefix in (string[])["a", "aa/", "aa/b", "写", "x", "a.b/cd"])
            Assert.Equal(expected.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)), await store.NamesAsync(prefix));
        foreach (var after in (string[])["a", "a/", "aa/b/zzz", "zz"])
            Assert.Equal(expected.Where(n => Encoding.UTF8.GetBytes(n).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(after)) > 0), await store.NamesAsync(after: after));
        var file = Assert.Single(await store.ListAsync("写真", "", 10, default));
        Assert.Equal((await store.StatAsync("写真")).File, file);
    }

    [Theory, DiskData, S3Data]
    public async Task Quotas_OneTooMany_IsRefusedUnlessItReplaces(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind, options => (options.MaxFileBytes, options.MaxBytes, options.MaxFiles) = (50, 100, 3));
        var store = scene.Store;
        await store.PutAsync("a", new byte[51]).RefusedAsync("quota");
        await using var unannounced = await store.BeginAsync(new(FileFolder.Name("a")), default);
        await unannounced.AppendAsync(new(new byte[50]));
        await unannounced.AppendAsync(new(new byte[1])).AsTask().RefusedAsync("quota");
        await unannounced.AbortAsync();
        await store.PutAsync("a", new byte[50]);
        await using var promised = await store.BeginAsync(new(FileFolder.Name("b")) { Length = 40 }, default);
        await store.PutAsync("c", new byte[11]).RefusedAsync("quota");
        await promised.DisposeAsync();
        await store.PutAsync("b", new byte[50]);
        await store.PutAsync("b", new byte[50]);
        await store.PutAsync("c", new byte[1]).RefusedAsync("quota");
        await store.DeleteAsync("b");
        await store.PutAsync("b", "1");
        await store.PutAsync("c", "1");
        await store.PutAsync("d", "1").RefusedAsync("quota");
        await store.PutAsync("c", "2");
        Assert.Equal(new(3, 52, 0), store.Totals);
    }
}

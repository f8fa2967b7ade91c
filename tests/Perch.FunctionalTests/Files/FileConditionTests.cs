using Perch.Files;
using Perch.FunctionalTests.Files.S3;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files;

/// <summary>
/// The conditions of a change, over every store. The S3 servers of the tests keep some of them, depending on their versions: the tests ask, and
/// expect that the store refuses the others.
/// </summary>
public sealed class FileConditionTests
{
    private const int PartBytes = 5 * 1024 * 1024;

    private static readonly FileCondition Free = new() { NoneMatch = new(IsAny: true, []) };

    private static readonly FileCondition Taken = new() { Match = new(IsAny: true, []) };

    [Theory]
    [MemberData(nameof(DiskAndSizes))]
    public async Task Publish_ConditionThatHolds_IsPublishedOrUnsupported(string kind, int size)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var (first, second) = (FileFolder.Bytes(size), FileFolder.Bytes(size, seed: 2));
        if (await KeepsFreeAsync(kind, size))
        {
            await PutAsync(scene.Store, "a", first, Free);
        }
        else
        {
            await PutAsync(scene.Store, "a", first, Free).RefusedAsync("unsupported");
            await scene.Store.PutAsync("a", first);
        }

        var isMatchKept = await KeepsMatchAsync(kind, size);
        if (isMatchKept) await PutAsync(scene.Store, "a", second, Is(first));
        else await PutAsync(scene.Store, "a", second, Is(first)).RefusedAsync("unsupported");
        Assert.Equal(isMatchKept ? second : first, await scene.Store.ReadAsync("a"));
        Assert.Equal(new(1, size, 0), scene.Store.Totals);
    }

    [Theory]
    [MemberData(nameof(DiskAndSizes))]
    public async Task Publish_ConditionThatDoesNotHold_IsRefusedAndNothingChanges(string kind, int size)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var (first, second) = (FileFolder.Bytes(size), FileFolder.Bytes(size, seed: 2));
        await PutAsync(scene.Store, "a", first, Taken).RefusedAsync("precondition");
        await scene.Store.PutAsync("a", first);
        var past = new FileCondition { UnmodifiedSince = TimeProvider.System.GetUtcNow().AddDays(-1) };
        foreach (var condition in (FileCondition[])[Free, Is(second), new() { NoneMatch = Is(first).Match }, past])
            await PutAsync(scene.Store, "a", second, condition).RefusedAsync("precondition");
        Assert.Equal(first, await scene.Store.ReadAsync("a"));
        Assert.Equal(new(1, size, 0), scene.Store.Totals);
    }

    [Theory]
    [MemberData(nameof(DiskAndSizes))]
    public async Task Publish_FileChangedMeanwhile_IsRefused(string kind, int size)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        // S3: another process.
        var other = kind == StoreScene.Disk ? scene.Store : await scene.OpenStoreAsync();
        var (first, second, late) = (FileFolder.Bytes(size), FileFolder.Bytes(size, seed: 2), FileFolder.Bytes(size, seed: 3));
        foreach (var (name, condition) in (ValueTuple<string, FileCondition>[])[("new", Free), ("old", Is(first))])
        {
            if (!await (condition == Free ? KeepsFreeAsync(kind, size) : KeepsMatchAsync(kind, size))) continue;
            if (condition != Free) await other.PutAsync(name, first);
            await using var upload = await scene.Store.BeginAsync(Request(name, late, condition), default);
            await upload.AppendAsync(new(late));
            await other.PutAsync(name, second);
            await upload.CompleteAsync().RefusedAsync("precondition");
            await upload.AbortAsync();
            Assert.Equal(second, await scene.Store.ReadAsync(name));
        }

        Assert.Equal(0, scene.Store.Totals.Partials);
    }

    [Theory, DiskData, S3Data]
    public async Task Publish_ManyWithOneConditionAtOnce_ExactlyOneIsPublished(string kind)
    {
        if (!await KeepsFreeAsync(kind, 0)) return;
        await using var scene = await StoreScene.OpenAsync(kind);
        var stores = new[] { scene.Store, kind == StoreScene.Disk ? scene.Store : await scene.OpenStoreAsync() };
        var condition = Free;
        for (var round = 0; round < (await KeepsMatchAsync(kind, 0) ? 5 : 1); round++)
        {
            var contents = Enumerable.Range(0, 16).Select(i => FileFolder.Bytes(100, seed: (round * 100) + i)).ToArray();
            var outcomes = await Task.WhenAll(contents.Select((bytes, i) => Task.Run(() => TryPutAsync(stores[i % 2], bytes, condition))));
            var winner = Assert.Single(contents.Where((_, i) => outcomes[i] is null));
            Assert.All(outcomes, code => Assert.True(code is null or "precondition", code));
            Assert.Equal(winner, await scene.Store.ReadAsync("a"));
            condition = Is(winner);
        }
    }

    [Theory, DiskData, S3Data]
    public async Task Delete_Condition_IsKeptOrUnsupported(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        var (name, bytes) = (FileFolder.Name("a"), FileFolder.Bytes(10));
        Assert.False(await store.DeleteAsync(name, Taken, default));
        await store.PutAsync("a", bytes);
        await store.DeleteAsync(name, Is([1]), default).RefusedAsync("precondition");
        await store.DeleteAsync(name, Free, default).RefusedAsync("precondition");
        Assert.Equal(bytes, await store.ReadAsync("a"));
        if (kind == StoreScene.Disk || await S3Server.KeepsDeleteMatchAsync(kind))
        {
            Assert.True(await store.DeleteAsync(name, Is(bytes), default));
            Assert.Null(await store.ReadAsync("a"));
            Assert.Equal(new(0, 0, 0), store.Totals);
            return;
        }

        await store.DeleteAsync(name, Is(bytes), default).RefusedAsync("unsupported");
        Assert.Equal(bytes, await store.ReadAsync("a"));
    }

    [Theory, DiskData, S3Data]
    public async Task Delete_OnlyAnUnfinishedUpload_IsAFreeName(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        await scene.Store.LeaveAsync("a", FileFolder.Bytes(5), 10);
        await scene.Store.DeleteAsync(FileFolder.Name("a"), Taken, default).RefusedAsync("precondition");
        Assert.Equal(5, (await scene.Store.StatAsync("a")).Partial);
        Assert.True(await scene.Store.DeleteAsync(FileFolder.Name("a"), Free, default));
        Assert.Equal(new(null, 0), await scene.Store.StatAsync("a"));
    }

    [Theory, DiskData, S3Data]
    public async Task Begin_RefusedRequest_LeavesTheUnfinishedUpload(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        await store.LeaveAsync("a", FileFolder.Bytes(5), 10);
        foreach (var offset in (long[])[0, 5])
            await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = offset, IsOffsetExact = true, Condition = Taken }, default).RefusedAsync("precondition");
        foreach (var offset in (long[])[4, 6])
        {
            var refusal = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = offset, IsOffsetExact = true }, default).RefusedAsync("offset");
            Assert.Equal(5, refusal.DurableBytes);
        }

        Assert.Equal(5, (await store.StatAsync("a")).Partial);
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = 5, IsOffsetExact = true }, default);
        // One that is being written is not taken over by a request that is refused.
        await store.BeginAsync(new(FileFolder.Name("a")) { Length = 10, Offset = 9, IsOffsetExact = true }, default).RefusedAsync("offset");
        await upload.AppendAsync(new(FileFolder.Bytes(5)));
        Assert.Equal(10, (await upload.CompleteAsync()).Length);
    }

    public static IEnumerable<object[]> DiskAndSizes()
    {
        string[] kinds = S3Server.SkipReason is null ? [StoreScene.Disk, .. S3Server.Kinds] : [StoreScene.Disk];
        return kinds.SelectMany(kind => new[] { 3, PartBytes + 1 }.Select(size => new object[] { kind, size }));
    }

    private static async Task<bool> KeepsFreeAsync(string kind, int size) =>
        kind == StoreScene.Disk || (await S3Server.KeepsAsync(kind, request => request.IfNoneMatch = "*")
            && (size <= PartBytes || await S3Server.KeepsCompleteAsync(kind, request => request.IfNoneMatch = "*")));

    private static async Task<bool> KeepsMatchAsync(string kind, int size) =>
        kind == StoreScene.Disk || (await S3Server.KeepsAsync(kind, request => request.IfMatch = "\"0\"")
            && (size <= PartBytes || await S3Server.KeepsCompleteAsync(kind, request => request.IfMatch = "\"0\"")));

    private static FileCondition Is(byte[] bytes) => new() { Match = new(IsAny: false, [FileFolder.Hash(bytes)]) };

    private static FileUploadRequest Request(string name, byte[] bytes, FileCondition condition) =>
        new(FileFolder.Name(name)) { Length = bytes.Length, Condition = condition };

    private static async Task PutAsync(IFileStore store, string name, byte[] bytes, FileCondition condition)
    {
        await using var upload = await store.BeginAsync(Request(name, bytes, condition), default);
        await upload.AppendAsync(new(bytes));
        await upload.CompleteAsync();
    }

    /// <returns>The code of the refusal; null if the file was published.</returns>
    private static async Task<string?> TryPutAsync(IFileStore store, byte[] bytes, FileCondition condition)
    {
        IFileUpload? upload = null;
        try
        {
            upload = await store.BeginAsync(Request("a", bytes, condition), default);
            await upload.AppendAsync(new(bytes));
            await upload.CompleteAsync();
            return null;
        }
        catch (FileStoreException refusal)
        {
            if (upload is not null) await upload.AbortAsync();
            return refusal.Code;
        }
        finally
        {
            if (upload is not null) await upload.DisposeAsync();
        }
    }
}

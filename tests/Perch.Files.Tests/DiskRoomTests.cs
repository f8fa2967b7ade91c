using Microsoft.Extensions.Time.Testing;
using Perch.Files.Disk;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

/// <summary>Room that idle uploads make when a limit is reached.</summary>
public sealed class DiskRoomTests : IDisposable
{
    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task MaxPartials_Reached_DropsTheUploadThatWasLeftFirst()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartials = 3 });
        await store.LeaveAsync("a", new byte[1], 2);
        await store.LeaveAsync("b", new byte[1], 2);
        // Left last, although it began first.
        await store.LeaveAsync("a", new byte[1], 3, offset: 1);
        await using var live = await BeginAsync(store, "live");
        Assert.Equal(new("there are 3 unfinished uploads", 0), store.Limits);

        await store.LeaveAsync("c", new byte[1], 2);
        Assert.Equal((long[])[2, 0, 1], await PartialsAsync(store, "a", "b", "c"));
        Assert.Equal(new(0, 3, 3), store.Totals);
        Assert.Equal(1, store.Limits.Dropped);
        Assert.Equal(3, _folder.Own("uploads").Length);

        var refusal = await store.BeginAsync(new(FileFolder.Name("b")) { Length = 2, Offset = 1 }, default).RefusedAsync("offset");
        Assert.Equal("there is no unfinished upload of this name: it was dropped, or never begun. Begin at 0", refusal.Text);
        await live.AppendAsync(new(new byte[1]));
        Assert.Equal(1, (await live.CompleteAsync()).Length);
    }

    [Fact]
    public async Task MaxPartials_EveryUploadIsLive_RefusesNewOnesAndKeepsTheLiveOnes()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartials = 2 });
        await using var one = await BeginAsync(store, "one");
        await using var two = await BeginAsync(store, "two");
        await store.PutAsync("c", "1").RefusedAsync("quota");
        foreach (var live in (IFileUpload[])[one, two])
        {
            await live.AppendAsync(new(new byte[5]));
            Assert.Equal(5, (await live.CompleteAsync()).Length);
        }

        await store.PutAsync("c", "1");
        Assert.Equal(0, store.Limits.Dropped);
    }

    [Fact]
    public async Task MaxBytes_Reached_DropsAsManyAsAreNeeded()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 100 });
        await store.PutAsync("whole", new byte[20]);
        foreach (var name in (string[])["a", "b", "c"]) await store.LeaveAsync(name, new byte[25], 30);

        await store.PutAsync("d", new byte[40]);
        Assert.Equal((long[])[0, 0, 25], await PartialsAsync(store, "a", "b", "c"));
        Assert.Equal(new(2, 85, 1), store.Totals);

        // Bytes that were not announced need the room when they come.
        await using var unannounced = await store.BeginAsync(new(FileFolder.Name("e")), default);
        await unannounced.AppendAsync(new(new byte[30]));
        Assert.Equal(0, await PartialAsync(store, "c"));
    }

    /// <summary>A request that cannot be met costs the others nothing.</summary>
    [Theory]
    [InlineData(81)]
    [InlineData(long.MaxValue)]
    public async Task MaxBytes_RequestThatNoDropWouldMeet_DropsNone(long length)
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 100 });
        await store.PutAsync("whole", new byte[20]);
        await store.LeaveAsync("a", new byte[50], 60);
        await store.BeginAsync(new(FileFolder.Name("b")) { Length = length }, default).RefusedAsync("quota");
        Assert.Equal(50, await PartialAsync(store, "a"));
        Assert.Equal(new(length > 100 ? null : "the store has at most 100 bytes", 0), store.Limits);
    }

    [Fact]
    public async Task MaxBytes_ResumeOfTheOnlyIdleUpload_IsRefusedAndKeepsIt()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 100 });
        await store.PutAsync("whole", new byte[60]);
        await store.LeaveAsync("a", new byte[20], 40);
        await store.BeginAsync(new(FileFolder.Name("a")) { Length = 50, Offset = 20 }, default).RefusedAsync("quota");
        Assert.Equal(20, await PartialAsync(store, "a"));
        await store.LeaveAsync("a", new byte[20], 40, offset: 20);
        Assert.Equal(40, await PartialAsync(store, "a"));
    }

    /// <summary>Not those that were left just now: the space may have gone to another program, and their peers come back.</summary>
    [Fact]
    public async Task MinFreeBytes_AtTheFloor_DropsUploadsThatAreIdleForAMinute()
    {
        const long disk = 10_000_000, floor = 4_000_000;
        var time = new FakeTimeProvider();
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = floor }, time, () => disk - _folder.Written());
        await store.LeaveAsync("a", new byte[3_000_000], 3_000_001);
        await store.LeaveAsync("b", new byte[2_000_000], 2_000_001);
        await store.PutAsync("c", new byte[2_000_000]).RefusedAsync("full");
        Assert.Equal((long[])[3_000_000, 2_000_000], await PartialsAsync(store, "a", "b"));

        time.Advance(DiskRoom.DiskGrace);
        await store.PutAsync("c", new byte[2_000_000]);
        Assert.Equal((long[])[0, 2_000_000], await PartialsAsync(store, "a", "b"));
        Assert.InRange(disk - _folder.Written(), floor, disk);
    }

    [Theory]
    [InlineData("192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1")]
    [InlineData("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:1::1]:1")]
    [InlineData("[::ffff:192.0.2.1]:1", "192.0.2.1:1", "192.0.2.2:1")]
    [InlineData("unix", "unix", "192.0.2.2:1")]
    public async Task MaxPartialsPerSource_Reached_DropsTheOldestOfThatSource(string peer, string same, string other)
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartialsPerSource = 2 });
        await LeaveAsync(store, "other", other);
        await LeaveAsync(store, "a", peer);
        await LeaveAsync(store, "b", same);
        await LeaveAsync(store, "c", peer);
        Assert.Equal((long[])[0, 1, 1, 1], await PartialsAsync(store, "a", "b", "c", "other"));

        await using var live = await BeginAsync(store, "d", peer);
        await using var second = await BeginAsync(store, "e", same);
        var refusal = await BeginAsync(store, "f", peer).RefusedAsync("quota");
        Assert.Equal("this address has 2 unfinished uploads", refusal.Text);
        await LeaveAsync(store, "g", other);
        Assert.Equal(1, await PartialAsync(store, "other"));
    }

    /// <summary>A peer whose address changed goes on with its upload, and the upload counts for the new address.</summary>
    [Fact]
    public async Task MaxPartialsPerSource_ResumedByAnother_CountsForThat()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartialsPerSource = 1 });
        await LeaveAsync(store, "a", "192.0.2.1:1");
        await using (var resumed = await store.BeginAsync(new(FileFolder.Name("a")) { Length = 9, Offset = 1, Remote = "192.0.2.2:1" }, default)) await resumed.AppendAsync(new(new byte[1]));
        await LeaveAsync(store, "b", "192.0.2.1:1");
        Assert.Equal((long[])[2, 1], await PartialsAsync(store, "a", "b"));
        await LeaveAsync(store, "c", "192.0.2.2:1");
        Assert.Equal((long[])[0, 1], await PartialsAsync(store, "a", "b"));
    }

    [Fact]
    public async Task Restart_WithIdleUploads_DropsTheOldestOfThemFirst()
    {
        await using (var store = await _folder.OpenAsync())
        {
            foreach (var name in (string[])["old", "older"]) await store.LeaveAsync(name, new byte[name.Length], 9);
        }

        File.SetLastWriteTimeUtc(_folder.Own("uploads").Single(file => new FileInfo(file).Length == 5), new(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await using var reopened = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartials = 2 });
        await reopened.LeaveAsync("new", new byte[1], 2);
        Assert.Equal((long[])[0, 3], await PartialsAsync(reopened, "older", "old"));
    }

    /// <summary>The limit is one at every moment, and no upload that was admitted is lost while others are left and dropped beside it.</summary>
    [Fact]
    public async Task MaxPartials_ManyUploadsAtOnce_IsNeverExceededAndLiveOnesComplete()
    {
        const int limit = 10;
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxPartials = limit });
        await Parallel.ForAsync(0, 1000, new ParallelOptions { MaxDegreeOfParallelism = limit }, async (i, _) =>
        {
            await using var upload = await store.BeginAsync(new(FileFolder.Name($"f{i}")) { Length = 100 }, default);
            await upload.AppendAsync(new(new byte[50]));
            Assert.InRange(store.Totals.Partials, 1, limit);
            if (i % 2 == 0) return;
            await upload.AppendAsync(new(new byte[50]));
            await upload.CompleteAsync();
        });

        Assert.Equal(500, store.Totals.Files);
        Assert.InRange(_folder.Own("uploads").Length, 0, limit);
        Assert.Equal(store.Totals.Partials, _folder.Own("uploads").Length);
    }

    [Fact]
    public async Task Readiness_AtALimit_IsDegradedAndSaysWhich()
    {
        await using var host = await FileHost.StartAsync(store: """, "MaxPartials": 2""");
        Assert.Null(host.Files.LimitReached);
        foreach (var name in (string[])["a", "b", "c"]) await host.Store.LeaveAsync(name, new byte[1], 2);
        Assert.Equal("there are 2 unfinished uploads", host.Files.LimitReached);
        Assert.Null(host.Files.Problem);
        Assert.Equal(1, host.Readings.Observe("perch.files.partials.dropped"));
        await Bounded.UntilAsync(() => host.Logged("FileLimitReached").Length == 1);
    }

    /// <summary>The sums follow from the entries, so a wrong one is corrected without a restart.</summary>
    [Fact]
    public void Sums_ThatAreImpossible_AreAFaultUntilTheyAreCountedAgain()
    {
        var quota = new DiskQuota(new() { MinFreeBytes = 0 }, TimeProvider.System, () => long.MaxValue);
        var (kept, wrong) = (quota.Found(10), quota.Found(5));
        wrong.Bytes = 100;
        quota.Drop(wrong);
        Assert.Contains("1 unfinished uploads, -85 bytes", quota.Totals.Fault, StringComparison.Ordinal);

        quota.Counted(0, 0);
        Assert.Equal(new(0, 10, 1), quota.Totals);
        quota.Drop(kept);
        Assert.Equal(new(0, 0, 0), quota.Totals);
    }

    private static Task<IFileUpload> BeginAsync(DiskFileStore store, string name, string remote = "") =>
        store.BeginAsync(new(FileFolder.Name(name)) { Length = 100, Remote = remote }, default);

    private static async Task LeaveAsync(DiskFileStore store, string name, string remote)
    {
        await using var upload = await BeginAsync(store, name, remote);
        await upload.AppendAsync(new(new byte[1]));
    }

    private static async Task<long[]> PartialsAsync(DiskFileStore store, params string[] names)
    {
        var partials = new long[names.Length];
        for (var i = 0; i < names.Length; i++) partials[i] = await PartialAsync(store, names[i]);
        return partials;
    }

    private static async Task<long> PartialAsync(DiskFileStore store, string name) => (await store.StatAsync(name)).Partial;
}

using System.Text;
using Amazon.S3.Model;
using Microsoft.Extensions.Time.Testing;
using Perch.Files;
using Perch.Files.S3;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files.S3;

/// <summary>Files of several parts: what is in the bucket before, in between and after.</summary>
public sealed class S3PartsTests
{
    private const int Part = 5 * 1024 * 1024;

    [Theory, S3Data]
    public async Task Put_SeveralParts_IsVisibleOnlyWhenItIsWholeAndItsHashWasRight(string kind)
    {
        var bytes = FileFolder.Bytes((3 * Part) + 1000);
        await using var scene = await StoreScene.OpenAsync(kind);
        var store = scene.Store;
        var old = await store.PutAsync("a", "old");
        await store.PutAsync("a", bytes, FileFolder.Hash("other"u8)).RefusedAsync("checksum");
        Assert.Equal(new(old, 0), await store.StatAsync("a"));
        await using (var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Sha256 = FileFolder.Hash(bytes) }, default))
        {
            await upload.AppendAsync(new(bytes));
            Assert.Equal("old", await store.ReadTextAsync("a"));
            var file = await upload.CompleteAsync();
            Assert.Equal((bytes.Length, FileFolder.Hash(bytes)), (file.Length, file.Sha256));
            Assert.Equal(new(file, 0), await store.StatAsync("a"));
        }

        Assert.Equal(bytes, await store.ReadAsync("a"));
        Assert.Equal(new(1, bytes.Length, 0), store.Totals);
        Assert.Equal(["meta"], await OwnAsync(scene));
        Assert.Empty(await PartsLeftAsync(scene));
        Assert.Empty(await store.FaultsAsync());
        // A newer file takes the metadata of the older one with it.
        await store.PutAsync("a", "new");
        Assert.Empty(await OwnAsync(scene));
    }

    [Theory, S3Data]
    public async Task Put_ExactlyWholeParts_HasNoEmptyLastOne(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        foreach (var parts in (int[])[1, 2])
        {
            var bytes = FileFolder.Bytes(parts * Part);
            await scene.Store.PutAsync("a", bytes);
            Assert.Equal(bytes, await scene.Store.ReadAsync("a"));
        }
    }

    [Theory, S3Data]
    public async Task Crash_InTheMiddle_IsResumedByAnotherProcessFromThePartsThatAreThere(string kind)
    {
        var bytes = FileFolder.Bytes((3 * Part) + 77);
        await using var scene = await StoreScene.OpenAsync(kind);
        // Never disposed while the other goes on, like a process that hangs or died.
        var crashed = await scene.Store.BeginAsync(new(FileFolder.Name("写真")) { Length = bytes.Length }, default);
        await crashed.AppendAsync(new(bytes.AsMemory(0, (2 * Part) + 5000)));
        var other = (S3FileStore)await scene.OpenStoreAsync();
        await Poll.UntilAsync(async () => (await other.StatAsync("写真")).Partial == 2 * Part, () => "both parts are there");
        await other.BeginAsync(new(FileFolder.Name("写真")) { Length = bytes.Length, Offset = Part }, default).RefusedAsync("offset");
        await using var resumed = await other.BeginAsync(new(FileFolder.Name("写真")) { Length = bytes.Length, Offset = 2 * Part, Sha256 = FileFolder.Hash(bytes) }, default);
        // The first one is not dead: with its next part it finds out.
        await RefusedAsync(crashed, bytes.AsMemory((2 * Part) + 5000), "superseded");
        await crashed.DisposeAsync();
        await resumed.AppendAsync(new(bytes.AsMemory(2 * Part)));
        Assert.Equal(FileFolder.Hash(bytes), (await resumed.CompleteAsync()).Sha256);
        Assert.Equal(bytes, await other.ReadAsync("写真"));
        Assert.Equal(0, (await other.StatAsync("写真")).Partial);
        Assert.Empty(await other.FaultsAsync());
        Assert.Empty(await PartsLeftAsync(scene));
    }

    [Theory, S3Data]
    public async Task Cuts_AtRandomPlaces_AreMendedInAnyProcess(string kind)
    {
        var bytes = FileFolder.Bytes((3 * Part) + 12_345);
        var random = new Random(4);
        await using var scene = await StoreScene.OpenAsync(kind);
        for (var cut = 0; cut < 6; cut++)
        {
            var store = await scene.ReopenAsync();
            var offset = (await store.StatAsync("a")).Partial;
            var more = Math.Min(random.Next(1, bytes.Length / 4), bytes.Length - (int)offset);
            await store.LeaveAsync("a", bytes[(int)offset..((int)offset + more)], bytes.Length, offset);
            // Left in order, no byte of it is lost.
            Assert.Equal(offset + more, (await store.StatAsync("a")).Partial);
        }

        var have = (int)(await scene.Store.StatAsync("a")).Partial;
        await using var last = await scene.Store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Offset = have, Sha256 = FileFolder.Hash(bytes) }, default);
        await last.AppendAsync(new(bytes.AsMemory(have)));
        await last.CompleteAsync();
        Assert.Equal(bytes, await scene.Store.ReadAsync("a"));
    }

    [Theory, S3Data]
    public async Task Resume_PartThatAnotherReplaced_IsNotTaken(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        await scene.Store.LeaveAsync("a", FileFolder.Bytes(Part + 10), 2 * Part);
        Assert.Equal(Part + 10, (await scene.Store.StatAsync("a")).Partial);
        var upload = Assert.Single(await PartsLeftAsync(scene));
        await scene.S3.Bucket.PutPartAsync("a", upload.UploadId, 1, new MemoryStream(FileFolder.Bytes(Part, 2)));
        var refusal = await scene.Store.BeginAsync(new(FileFolder.Name("a")) { Length = 2 * Part, Offset = Part + 10 }, default).RefusedAsync("offset");
        Assert.StartsWith("there is no unfinished upload", refusal.Text, StringComparison.Ordinal);
        Assert.Equal(new(null, 0), await scene.Store.StatAsync("a"));
        Assert.Empty(await PartsLeftAsync(scene));
    }

    [Theory, S3Data]
    public async Task Complete_PartThatAnotherReplaced_PublishesNothing(string kind)
    {
        var bytes = FileFolder.Bytes((2 * Part) + 5);
        await using var scene = await StoreScene.OpenAsync(kind);
        await using var upload = await scene.Store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length }, default);
        await upload.AppendAsync(new(bytes));
        await Poll.UntilAsync(async () => (await scene.Store.StatAsync("a")).Partial == bytes.Length, () => "all of it is there");
        await scene.S3.Bucket.PutPartAsync("a", Assert.Single(await PartsLeftAsync(scene)).UploadId, 1, new MemoryStream(FileFolder.Bytes(Part, 2)));
        var refusal = await Assert.ThrowsAsync<FileStoreException>(upload.CompleteAsync);
        Assert.True(refusal.Code == "superseded", $"{refusal}");
        Assert.Null((await scene.Store.StatAsync("a")).File);
    }

    [Theory, S3Data]
    public async Task Trim_PartsThatNoCheckpointSpeaksOf_AreAborted(string kind)
    {
        // S3 dates the uploads by its own clock.
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1));
        await using var scene = await StoreScene.OpenAsync(kind, options => options.AbandonAfter = TimeSpan.FromSeconds(1), time);
        await scene.S3.Bucket.BeginMultipartAsync("写真/a", []);
        await using var live = await scene.Store.BeginAsync(new(FileFolder.Name("b")) { Length = 3 * Part }, default);
        await live.AppendAsync(new(FileFolder.Bytes(Part + 1)));
        Assert.Equal(1, await scene.Store.TrimAsync(default));
        Assert.Equal("b", Assert.Single(await PartsLeftAsync(scene)).Key);
    }

    [Theory, S3Data]
    public async Task Name_LongerThanTheKeyMayBe_IsRefused(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        var most = Perch.Files.S3.S3Bucket.MaxKeyBytes - Encoding.UTF8.GetByteCount(scene.Options.Prefix);
        var name = string.Join('/', Enumerable.Repeat(new string('n', 99), 10))[..most];
        await scene.Store.PutAsync(name, "text");
        Assert.Equal("text", await scene.Store.ReadTextAsync(name));
        await scene.Store.PutAsync(name + "n", "text").RefusedAsync("name");
        await scene.Store.ReadAsync(name + "n").RefusedAsync("name");
        Assert.Equal(new(1, 4, 0), scene.Store.Totals);
    }

    [Theory, S3Data]
    public async Task Object_InTheBucket_HasItsHashAsMetadata(string kind)
    {
        await using var scene = await StoreScene.OpenAsync(kind);
        await scene.Store.PutAsync("a", "text");
        using var client = S3Server.CreateClient(kind);
        var head = await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = scene.Options.Bucket, Key = scene.Options.Prefix + "a" });
        Assert.Equal(FileFolder.Hash("text"u8), head.Metadata["x-amz-meta-perch-sha256"]);
        // What others put beside is not the store's.
        await client.PutObjectAsync(new() { BucketName = scene.Options.Bucket, Key = scene.Options.Prefix + "foreign", ContentBody = "x" });
        Assert.Equal(["a"], await scene.Store.NamesAsync());
        Assert.Null(await scene.Store.ReadAsync("foreign"));
        Assert.Equal("foreign", Assert.Single(await scene.Store.FaultsAsync()).Name);
    }

    [S3Fact]
    public async Task Conditions_ServerThatHasThemAndOneThatHasNot_AreToldApart()
    {
        await using var moto = await StoreScene.OpenAsync(S3Server.Moto);
        var etag = await moto.S3.Bucket.PutAsync("a", new MemoryStream([1]), condition: S3Condition.New);
        Assert.NotNull(etag);
        Assert.Null(await moto.S3.Bucket.PutAsync("a", new MemoryStream([2]), condition: S3Condition.New));

        await using var swift = await StoreScene.OpenAsync(S3Server.Swift);
        await Assert.ThrowsAsync<NotSupportedException>(() => swift.S3.Bucket.PutAsync("a", new MemoryStream([1]), condition: S3Condition.New));
    }

    [S3Fact]
    public async Task CompleteMultipart_NewOnly_LeavesWhatCameBetween()
    {
        await using var scene = await StoreScene.OpenAsync(S3Server.Moto);
        var bucket = scene.S3.Bucket;
        var uploadId = await bucket.BeginMultipartAsync("a", []);
        string[] etags = [await bucket.PutPartAsync("a", uploadId, 1, new MemoryStream([1, 2]))];
        await bucket.PutAsync("a", new MemoryStream([3]));
        Assert.False(await bucket.CompleteMultipartAsync("a", uploadId, etags, S3Condition.New));
        Assert.Equal(1, (await bucket.HeadAsync("a", default))!.ContentLength);
        await bucket.DeleteAsync("a");
        Assert.True(await bucket.CompleteMultipartAsync("a", uploadId, etags, S3Condition.New));
        Assert.Equal(2, (await bucket.HeadAsync("a", default))!.ContentLength);
    }

    [S3Fact]
    public async Task List_ManyFiles_ComesInPages()
    {
        await using var scene = await StoreScene.OpenAsync(S3Server.Moto);
        await Parallel.ForAsync(0, 1500, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, _) => await scene.S3.Bucket.PutAsync(
            $"f{i:D4}", new MemoryStream([1]), S3Files.Headers(new S3About(1, FileFolder.Hash([1]), DateTimeOffset.UnixEpoch, "e", "r"))));
        var first = await scene.Store.NamesAsync();
        var second = await scene.Store.NamesAsync(after: first[^1]);
        Assert.Equal(Enumerable.Range(0, 1500).Select(i => $"f{i:D4}"), first.Concat(second));
        Assert.Equal(1000, first.Length);
        await scene.Store.TrimAsync(default);
        Assert.Equal(new(1500, 1500, 0), scene.Store.Totals);
    }

    private static async Task RefusedAsync(IFileUpload upload, ReadOnlyMemory<byte> bytes, string code) => await Task.Run(async () =>
    {
        await upload.AppendAsync(new(bytes));
        await upload.CompleteAsync();
    }).RefusedAsync(code);

    private static async Task<List<MultipartUpload>> PartsLeftAsync(StoreScene scene)
    {
        var uploads = new List<MultipartUpload>();
        await foreach (var upload in scene.S3.Bucket.ListMultipartAsync(default)) uploads.Add(upload);
        return uploads;
    }

    /// <summary>The kinds of what the store has of its own, but for the probe.</summary>
    private static async Task<string[]> OwnAsync(StoreScene scene) =>
        [.. (await scene.S3.Bucket.ListAsync(S3Files.Own, "", 1000, default)).Objects.Where(o => o.Key != S3Files.Probe).Select(o => o.Key.Split('/')[1])];
}

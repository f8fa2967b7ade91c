using System.Runtime.InteropServices;
using Perch.Tests.Shared;
using static Perch.Files.Disk.DiskUpload;

namespace Perch.Files.Tests;

/// <summary>Uploads whose whole parts pass the page cache, with several appends under way as <see cref="FileBody"/> has them.</summary>
public sealed class DirectWriteTests : IDisposable
{
    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Append_WholeParts_AreWrittenAndHashedInOrder(bool isDirect)
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, DirectWrites = isDirect });
        var bytes = OnPages((5 * PartBytes) + 12345);
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length }, default);
        await AppendAsync(upload, bytes);
        Assert.Equal(isDirect && _folder.CanDirect(), _folder.HasDirect());
        Assert.Equal(FileFolder.Hash(bytes.Span), (await upload.CompleteAsync()).Sha256);
        Assert.Equal(bytes.ToArray(), await store.ReadAsync("a"));
        Assert.False(_folder.HasDirect());
    }

    [Fact]
    public async Task Append_WholePartThatBeginsWithinAPage_GoesThroughThePageCache()
    {
        await using var store = await _folder.OpenAsync();
        var bytes = OnPages((2 * PartBytes) + 1)[1..];
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length }, default);
        await AppendAsync(upload, bytes);
        Assert.False(_folder.HasDirect());
        await upload.CompleteAsync();
        Assert.Equal(bytes.ToArray(), await store.ReadAsync("a"));
    }

    [Fact]
    public async Task Append_FailsWithOthersBehindIt_TheyFailTooAndWhatWasBeforeIsResumed()
    {
        var free = 1L << 40;
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 1 }, freeBytes: () => Volatile.Read(ref free));
        var bytes = OnPages(8 * PartBytes);
        await using (var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length }, default))
        {
            await upload.AppendAsync(new(bytes[..PartBytes]));
            Volatile.Write(ref free, 0);
            // The disk is asked for each DiskPartial.WriteBehind: some of these are written, and none behind one that is not.
            var appends = new List<Task>();
            for (var part = 1; part < 8 && !appends.Exists(append => append.IsFaulted); part++)
            {
                appends.Add(upload.AppendAsync(new(bytes.Slice(part * PartBytes, PartBytes))).AsTask());
                if (appends.Count >= IFileUpload.AppendsAtOnce) await Task.WhenAny(appends[^IFileUpload.AppendsAtOnce]);
            }

            foreach (var append in appends) await Task.WhenAny(append);
            var first = appends.FindIndex(append => append.IsFaulted);
            Assert.InRange(first, 0, appends.Count - 1);
            Assert.All(appends[first..], append => Assert.Equal("full", Assert.IsType<FileStoreException>(append.Exception!.InnerException).Code));
            Volatile.Write(ref free, 1L << 40);
            await upload.AppendAsync(new(bytes[..PartBytes])).AsTask().RefusedAsync("full");
        }

        var have = (await store.StatAsync("a")).Partial;
        Assert.Equal(0, have % PartBytes);
        Assert.InRange(have, PartBytes, bytes.Length - PartBytes);
        Assert.Equal(have, new FileInfo(Assert.Single(_folder.Own("uploads"))).Length);
        await using var resumed = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Offset = have }, default);
        await AppendAsync(resumed, bytes[(int)have..]);
        Assert.Equal(FileFolder.Hash(bytes.Span), (await resumed.CompleteAsync()).Sha256);
        Assert.Equal(new(1, bytes.Length, 0), store.Totals);
    }

    [Fact]
    public async Task Resume_TakesOverWithAppendsUnderWay_HashesWhatIsThere()
    {
        await using var store = await _folder.OpenAsync();
        var bytes = OnPages(4 * PartBytes);
        for (var i = 0; i < 20; i++)
        {
            await using var first = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length }, default);
            await first.AppendAsync(new(bytes[..PartBytes]));
            Task[] late = [first.AppendAsync(new(bytes.Slice(PartBytes, PartBytes))).AsTask(), first.AppendAsync(new(bytes.Slice(2 * PartBytes, PartBytes))).AsTask()];
            await using var second = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Offset = PartBytes }, default);
            await AppendAsync(second, bytes[PartBytes..]);
            foreach (var append in late) await Task.WhenAny(append);
            Assert.Equal(FileFolder.Hash(bytes.Span), (await second.CompleteAsync()).Sha256);
        }

        Assert.Empty(await store.FaultsAsync());
    }

    [Fact]
    public async Task BestAppendBytes_GrowsWithWhatCameAndEndsOnMultiplesOfAPart()
    {
        await using var store = await _folder.OpenAsync();
        var bytes = OnPages(4 * PartBytes);
        await store.LeaveAsync("a", bytes[..1000].ToArray(), bytes.Length);
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Offset = 1000 }, default);
        // What comes first is stored as it comes.
        Assert.Equal(0, upload.BestAppendBytes);
        var came = 150_000;
        await upload.AppendAsync(new(bytes.Slice(1000, came)));
        while (1000 + came < 3 * PartBytes)
        {
            var best = upload.BestAppendBytes;
            Assert.InRange(best, 1, Math.Min(came, PartBytes));
            if (((1000 + came) / PartBytes) + 1 is var next && came >= PartBytes) Assert.Equal((next * PartBytes) - 1000 - came, best);
            await upload.AppendAsync(new(bytes.Slice(1000 + came, best)));
            came += best;
        }

        Assert.Equal(PartBytes, upload.BestAppendBytes);
    }

    /// <summary>As many at once as may be, each a whole part but for the last.</summary>
    private static async Task AppendAsync(IFileUpload upload, ReadOnlyMemory<byte> bytes)
    {
        var appends = new Queue<Task>();
        for (; !bytes.IsEmpty; bytes = bytes[Math.Min(bytes.Length, PartBytes)..])
        {
            if (appends.Count == IFileUpload.AppendsAtOnce) await appends.Dequeue();
            appends.Enqueue(upload.AppendAsync(new(bytes[..Math.Min(bytes.Length, PartBytes)])).AsTask());
        }

        await Task.WhenAll(appends);
    }

    private static ReadOnlyMemory<byte> OnPages(int count)
    {
        var array = GC.AllocateUninitializedArray<byte>(count + Environment.SystemPageSize, pinned: true);
        new Random(count).NextBytes(array);
        var start = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) & (Environment.SystemPageSize - 1));
        return array.AsMemory(start, count);
    }
}

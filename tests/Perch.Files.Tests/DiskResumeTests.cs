using System.Text;
using Perch.Connections;
using Perch.Files.Disk;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

/// <summary>Resumed uploads whose bytes have to be read again first. The huge ones are sparse: to read one takes minutes.</summary>
public sealed class DiskResumeTests : IDisposable
{
    private const long Huge = 1L << 37;
    private const int DiskThreads = 8;

    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(10_000_000, 10_000_000)]
    [InlineData(10_000_000, 8_388_608)]
    [InlineData(10_000_000, 1)]
    public async Task Resume_AfterARestart_HashesWhatIsThere(int have, int offset)
    {
        var bytes = FileFolder.Bytes(11_000_000);
        await using (var store = await _folder.OpenAsync()) await store.LeaveAsync("a", bytes[..have], bytes.Length);
        await using var reopened = await _folder.OpenAsync();
        await using var upload = await reopened.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Offset = offset, Sha256 = FileFolder.Hash(bytes) }, default);
        await upload.AppendAsync(new(bytes.AsMemory(offset)));
        await upload.CompleteAsync();
        Assert.Equal(bytes, await reopened.ReadAsync("a"));
    }

    /// <summary>As many as the disk has threads, and one more.</summary>
    [Fact]
    public async Task Resume_OfHugeUploads_LeavesTurnsToOthersAndEndsWithItsToken()
    {
        await using var store = await OpenWithHugeAsync(DiskThreads + 1);
        using var gone = new CancellationTokenSource();
        var resumed = Enumerable.Range(0, DiskThreads + 1).Select(i =>
            store.BeginAsync(new(FileFolder.Name($"huge{i}")) { Length = Huge, Offset = Huge - 1 }, gone.Token)).ToList();

        await store.PutAsync("small", "x");
        Assert.Equal("x", await store.ReadTextAsync("small"));
        Assert.Equal(Huge - 1, (await store.StatAsync("huge0")).Partial);
        Assert.All(resumed, begin => Assert.False(begin.IsCompleted));

        await gone.CancelAsync();
        foreach (var begin in resumed) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => begin);
        Assert.Equal(0, store.Quota.Active);
        Assert.True(await store.DeleteAsync("huge0"));
    }

    /// <summary>A second connection goes on with the upload while the first one has it read.</summary>
    [Fact]
    public async Task Resume_WhileAnotherIsRead_SupersedesThat()
    {
        await using var store = await OpenWithHugeAsync(1);
        var first = store.BeginAsync(new(FileFolder.Name("huge0")) { Length = Huge, Offset = Huge - 1 }, default);
        await Bounded.UntilAsync(() => store.Quota.Active == 1);
        await using var second = await store.BeginAsync(new(FileFolder.Name("huge0")) { Length = 4, Offset = 1 }, default);
        await first.RefusedAsync("superseded");
        await second.AppendAsync(new(new byte[3]));
        Assert.Equal(FileFolder.Hash(new byte[4]), (await second.CompleteAsync()).Sha256);
    }

    /// <summary>What is hashed already is not read again.</summary>
    [Fact]
    public async Task Resume_AfterACancelledOne_GoesOnWithTheHash()
    {
        var bytes = FileFolder.Bytes(20_000_000);
        await using (var store = await _folder.OpenAsync()) await store.LeaveAsync("a", bytes, bytes.Length + 1);
        await using var reopened = await _folder.OpenAsync();
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        for (var i = 0; i < 3; i++)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reopened.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length, Offset = bytes.Length - i }, gone.Token));
        await using var upload = await reopened.BeginAsync(new(FileFolder.Name("a")) { Length = bytes.Length - 2, Offset = bytes.Length - 2 }, default);
        Assert.Equal(FileFolder.Hash(bytes.AsSpan(0, bytes.Length - 2)), (await upload.CompleteAsync()).Sha256);
    }

    [Fact]
    public async Task Put_PeerLeavesWhileItsUploadIsRead_EndsTheReading()
    {
        await MakeHugeAsync(1, _folder.Root);
        await using var host = await FileHost.StartAsync(path: _folder.Root);
        var store = (DiskFileStore)((BudgetedFileStore)await host.Files.GetAsync()).Inner;

        // The stream ends, and the announced byte cannot come any more.
        var closed = host.Connect();
        await closed.SendAsync($"PUT huge0 {Huge} offset={Huge - 1}\n");
        await Bounded.UntilAsync(() => store.Quota.Active == 1);
        closed.EndInput();
        Assert.StartsWith("ERR truncated ", Encoding.UTF8.GetString(await closed.ReceiveToEndAsync()), StringComparison.Ordinal);
        Assert.Equal(ConnectionOutcome.ProtocolViolation, (await closed.EndedAsync()).Outcome);
        await Bounded.UntilAsync(() => store.Quota.Active == 0);

        var reset = host.Connect();
        await reset.SendAsync($"PUT huge0 {Huge} offset={Huge - 1}\n");
        await Bounded.UntilAsync(() => store.Quota.Active == 1);
        reset.Connection.Reset();
        Assert.Equal(ConnectionOutcome.PeerReset, (await reset.EndedAsync()).Outcome);
        await Bounded.UntilAsync(() => store.Quota.Active == 0);
    }

    /// <summary>The bytes that arrive while the upload is read are its own, and so is the command after them.</summary>
    [Fact]
    public async Task Put_ResumedWithItsBytesAndAnotherCommand_AnswersBoth()
    {
        var bytes = FileFolder.Bytes(9_000_000);
        await using (var store = await _folder.OpenAsync()) await store.LeaveAsync("a", bytes[..8_900_000], bytes.Length);
        await using var host = await FileHost.StartAsync(path: _folder.Root);
        var peer = host.Connect();
        var sending = peer.SendAsync((byte[])[.. Encoding.ASCII.GetBytes($"PUT a {bytes.Length} offset=8900000\n"), .. bytes[8_900_000..], .. "QUIT\n"u8]);
        var ended = await peer.ExpectEndAsync($"OK {bytes.Length} sha256={FileFolder.Hash(bytes)}\nOK\n");
        await sending;
        Assert.Equal(ConnectionOutcome.Completed, ended.Outcome);
    }

    private async Task<DiskFileStore> OpenWithHugeAsync(int count)
    {
        await MakeHugeAsync(count, _folder.Root);
        return await _folder.OpenAsync(freeBytes: () => long.MaxValue);
    }

    private async Task MakeHugeAsync(int count, string root)
    {
        await (await _folder.OpenAsync()).DisposeAsync();
        for (var i = 0; i < count; i++)
        {
            await using var file = File.Create(Path.Combine(root, ".perch/uploads", $"{DiskMetadata.KeyOf(FileFolder.Name($"huge{i}"))}.{i:x16}"));
            file.SetLength(Huge);
        }
    }
}

using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Files;

/// <summary>Downloads over both transports: one copies a file's bytes, the other has the system send them.</summary>
public sealed class FileSendTests
{
    private const int Length = 32 * 1024 * 1024;

    [Theory]
    [InlineData("Kestrel")]
    [InlineData("Direct")]
    public async Task Get_WholeAndPart_ArriveAndAreCounted(string engine)
    {
        await using var host = await StartAsync(engine, "{}");
        var bytes = await PutAsync(host);
        using (var client = FileClient.Connect(await host.Admin.GetPortAsync("files")))
        {
            var whole = await client.AskAsync("GET f\nGET f offset=1000 length=9000000\nGET f offset=32000000");
            Assert.Equal($"OK {Length} sha256={FileClient.Hash(bytes)} total={Length}", whole);
            Assert.Equal(FileClient.Hash(bytes), await client.ReadHashAsync(Length));
            var part = await client.ReadLineAsync();
            Assert.Equal(FileClient.Hash(bytes.AsSpan(1000, 9_000_000)), await client.ReadHashAsync(9_000_000));
            var rest = await client.ReadLineAsync();
            Assert.Equal(FileClient.Hash(bytes.AsSpan(32_000_000)), await client.ReadHashAsync(Length - 32_000_000));
            Assert.Equal("OK", await client.AskAsync("QUIT"));
            var expected = Length + 9_000_000 + (Length - 32_000_000) + $"{whole}\n{part}\n{rest}\nOK\n".Length;
            Assert.Equal((expected, "Completed"), await EndedAsync(host));
        }
    }

    [Theory]
    [InlineData("Kestrel")]
    [InlineData("Direct")]
    public async Task Get_ReaderThatStops_IsCutOff(string engine)
    {
        await using var host = await StartAsync(engine, """{ "WriteTimeout": "00:00:02" }""");
        await PutAsync(host);
        using var client = FileClient.Connect(await host.Admin.GetPortAsync("files"));
        await client.AskAsync("GET f");
        var (sent, outcome) = await EndedAsync(host);
        Assert.Equal("WriteTimeout", outcome);
        Assert.InRange(sent, 1, Length - 1);
    }

    [Theory]
    [InlineData("Kestrel")]
    [InlineData("Direct")]
    public async Task Get_FileThatIsCutMeanwhile_EndsTheConnectionShort(string engine)
    {
        await using var host = await StartAsync(engine, "{}");
        await PutAsync(host);
        using var client = FileClient.Connect(await host.Admin.GetPortAsync("files"));
        await client.AskAsync("GET f");
        using (var file = File.OpenHandle(Path.Combine(host.Folder.Root, "data/files/f"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) RandomAccess.SetLength(file, 1000);
        await Assert.ThrowsAnyAsync<IOException>(() => client.ReadHashAsync(Length));
        Assert.Equal("StorageUnavailable", (await EndedAsync(host)).Outcome);
    }

    private static Task<PerchHost> StartAsync(string engine, string guards) =>
        PerchHost.StartAsync(new ServerSettings { SocketEngine = engine }.With("files", $$"""{ "Port": 0, "Protocol": "files", "Guards": {{guards}} }"""));

    private static async Task<byte[]> PutAsync(PerchHost host)
    {
        var bytes = new byte[Length];
        new Random(1).NextBytes(bytes);
        using var client = FileClient.Connect(await host.Admin.GetPortAsync("files"));
        await client.SendAsync($"PUT f {Length}\n");
        await client.SendAsync(bytes);
        Assert.StartsWith("OK ", await client.AskAsync("QUIT"), StringComparison.Ordinal);
        await Poll.UntilAsync(async () => (await host.Admin.GetRecentAsync()).Count == 1, () => "the upload is over");
        return bytes;
    }

    /// <returns>What the download's connection came to; the upload's was the first.</returns>
    private static async Task<(long Sent, string? Outcome)> EndedAsync(PerchHost host)
    {
        await Poll.UntilAsync(async () => (await host.Admin.GetRecentAsync()).Count == 2, () => "the download is over");
        var ended = (await host.Admin.GetRecentAsync()).MaxBy(row => row.StartedAt)!;
        return (ended.BytesSent, ended.Outcome);
    }
}

using System.Diagnostics;
using System.Text;
using Perch.FunctionalTests.Hosting;
using Perch.FunctionalTests.Record;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Once;

/// <summary>Messages that end by a pause, over real sockets of both transports.</summary>
public sealed class OnceTests
{
    private const string Stored = "データ送信とDB保存完了";
    private const string Uploaded = "ファイルアップロード完了";

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task Upload_ClientThatWaitsWithoutAHalfClose_IsAnsweredAfterTheQuietTime(string engine)
    {
        await using var host = await StartAsync(engine);
        using var client = await host.ConnectAsync("upload");
        var started = Stopwatch.GetTimestamp();
        await client.SendAsync(FileFolder.Bytes(300_000));
        Assert.Equal(Uploaded, await client.ReceiveTextToEndAsync());
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(100));
        Assert.Equal(FileFolder.Bytes(300_000), await UploadedAsync(host));
    }

    [Theory]
    [InlineData("Direct", "upload")]
    [InlineData("Direct", "record")]
    [InlineData("Direct", "pooled")]
    [InlineData("Kestrel", "upload")]
    [InlineData("Kestrel", "record")]
    public async Task Parts_LessThanTheQuietTimeApart_AreOneMessage(string engine, string endpoint)
    {
        // Longer than the default, so that a busy machine may be late with the second part.
        await using var host = await StartAsync(engine, "00:00:02");
        using var client = await host.ConnectAsync(endpoint);
        await client.SendAsync("first ");
        // The pause is the subject: without it the kernel may join the parts.
        await Task.Delay(50);
        await client.SendAsync("second");
        var isUpload = endpoint == "upload";
        Assert.Equal(isUpload ? Uploaded : Stored, await client.ReceiveTextToEndAsync());
        if (isUpload)
            Assert.Equal("first second"u8.ToArray(), await UploadedAsync(host));
        else
            Assert.Equal(["first second"], await RecordsAsync(host));
    }

    [NeighbourTheory("nc")]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task Netcat_300000BytesAndAHalfClose_AreStoredWhole(string engine)
    {
        // An hour of quiet: only the half-close can end the message.
        await using var host = await StartAsync(engine, "01:00:00");
        var text = string.Concat(Enumerable.Range(0, 50_000).Select(i => $"{i:00000}\n"));
        foreach (var (endpoint, answer) in ((string, string)[])[("upload", Uploaded), ("record", Stored), ("pooled", Stored)])
        {
            var port = (await host.Admin.GetPortAsync(endpoint)).ToString();
            Assert.Equal(answer, await Neighbour.RunAsync("nc", ["-N", "127.0.0.1", port], text));
        }

        Assert.Equal(text, Encoding.ASCII.GetString(await UploadedAsync(host)));
        Assert.Equal([text, text], await RecordsAsync(host));
    }

    [Theory]
    [InlineData("Direct", "upload", "FileBytesDropped")]
    [InlineData("Direct", "record", "RecordBytesDropped")]
    [InlineData("Kestrel", "upload", "FileBytesDropped")]
    [InlineData("Kestrel", "record", "RecordBytesDropped")]
    public async Task Byte_AfterTheAnswer_IsLoggedAndResetsNobody(string engine, string endpoint, string logged)
    {
        await using var host = await StartAsync(engine, "00:00:01");
        using var client = await host.ConnectAsync(endpoint);
        var answer = endpoint == "upload" ? Uploaded : Stored;
        Assert.Equal(answer, await client.AskAsync("first", Encoding.UTF8.GetByteCount(answer)));
        await client.SendAsync("late");
        await client.SendAsync("later");
        client.EndInput();
        Assert.Empty(await client.ReceiveToEndAsync());
        await Poll.UntilAsync(() => host.Log.Contains(logged, StringComparison.Ordinal), () => host.Log);
        Assert.Single(host.Log.Split('\n'), line => line.Contains(logged, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Answer_ClientReadsToTheEnd_SeesTheEndWithoutAWait()
    {
        await using var host = await StartAsync("Direct", "00:00:00");
        using var client = await host.ConnectAsync("record");
        await client.SendAsync("hi");
        Assert.Equal(Stored, await client.ReceiveTextToEndAsync());
        // The server still listens to a client that has its answer: it has not closed yet.
        await client.SendAsync("late");
        await Poll.UntilAsync(() => host.Log.Contains("RecordBytesDropped", StringComparison.Ordinal), () => host.Log);
    }

    private static Task<PerchHost> StartAsync(string engine, string quietTime = "00:00:00.1")
    {
        var upload = $$"""{ "Once": true, "OnceQuietTime": "{{quietTime}}" }""";
        var record = $$"""{ "Once": true, "OnceQuietTime": "{{quietTime}}", "Ack": "{{Stored}}" }""";
        return PerchHost.StartAsync(new ServerSettings { SocketEngine = engine, LogFormat = "Json" }
            .With("upload", $$"""{ "Port": 0, "Protocol": "upload", "Options": {{upload}} }""")
            .With("record", $$"""{ "Port": 0, "Protocol": "record", "Options": {{record}} }""")
            .With("pooled", $$"""{ "Port": 0, "Protocol": "record", "Scheduling": "ThreadPool", "Options": {{record}} }"""));
    }

    private static Task<byte[]> UploadedAsync(PerchHost host) =>
        File.ReadAllBytesAsync(Assert.Single(Directory.GetFiles(Path.Combine(host.Folder.Root, "data/files/uploads"))));

    private static async Task<IEnumerable<string>> RecordsAsync(PerchHost host) =>
        (await RecordReader.AllAsync(host.Admin)).Select(record => record["data"]!.GetValue<string>());
}

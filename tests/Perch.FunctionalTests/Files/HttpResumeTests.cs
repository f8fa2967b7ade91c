using System.Net;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files;

/// <summary><c>PUT</c> with <c>Content-Range</c>: an upload goes on, and a part never replaces the file.</summary>
public sealed class HttpResumeTests
{
    private const string Path = "/files/a.bin";

    private static readonly byte[] Bytes = FileFolder.Bytes(10_240);

    [Fact]
    public async Task Put_PartOfAStoredFile_IsRefusedWithTheOffsetAndTheFileStays()
    {
        await using var http = await FileHttp.StartAsync();
        Assert.Equal(HttpStatusCode.NoContent, await http.PutAsync(Path, Bytes));
        Assert.Equal((HttpStatusCode.Conflict, 0), await http.PutPartAsync(Path, Bytes[10_000..], 10_000, 10_240));
        Assert.Equal(Bytes, await http.GetAsync(Path));
    }

    [Fact]
    public async Task Put_PartsInTurn_AreTheFileAfterTheLast()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, [1]);
        Assert.Equal((HttpStatusCode.Accepted, 4_000), await http.PutPartAsync(Path, Bytes[..4_000], 0, 10_240));
        Assert.Equal((HttpStatusCode.Accepted, 9_000), await http.PutPartAsync(Path, Bytes[4_000..9_000], 4_000, 10_240));
        Assert.Equal([1], await http.GetAsync(Path));
        using var last = await http.SendAsync(HttpMethod.Put, Path, Bytes[9_000..], ("Content-Range", "bytes 9000-10239/10240"), ("Repr-Digest", $"sha-256=:{Convert.ToBase64String(Convert.FromHexString(FileFolder.Hash(Bytes)))}:"));
        Assert.Equal((HttpStatusCode.NoContent, $"\"{FileFolder.Hash(Bytes)}\""), (last.StatusCode, last.Headers.ETag!.Tag));
        Assert.Equal(Bytes, await http.GetAsync(Path));
        Assert.Equal((HttpStatusCode.OK, -1), await http.OffsetAsync(HttpMethod.Head, Path));
    }

    [Fact]
    public async Task Put_AnotherOffsetThanIsDurable_IsAnsweredWithTheOffset()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutPartAsync(Path, Bytes[..4_000], 0, 10_240);
        foreach (var offset in (int[])[1, 3_999, 4_001, 10_239])
            Assert.Equal((HttpStatusCode.Conflict, 4_000), await http.PutPartAsync(Path, Bytes[offset..], offset, 10_240));
        Assert.Equal(HttpStatusCode.NoContent, (await http.PutPartAsync(Path, Bytes[4_000..], 4_000, 10_240)).Status);
        Assert.Equal(Bytes, await http.GetAsync(Path));
    }

    [Fact]
    public async Task Put_FromTheBegin_BeginsAnew()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutPartAsync(Path, new byte[4_000], 0, 10_240);
        Assert.Equal((HttpStatusCode.Accepted, 100), await http.PutPartAsync(Path, Bytes[..100], 0, 10_240));
        Assert.Equal(HttpStatusCode.NoContent, (await http.PutPartAsync(Path, Bytes, 0, 10_240)).Status);
        Assert.Equal(Bytes, await http.GetAsync(Path));
    }

    [Theory]
    [InlineData("bytes 10-19/*")]
    [InlineData("bytes */20")]
    [InlineData("bytes 10-19")]
    [InlineData("bytes 19-10/20")]
    [InlineData("bytes 10-20/20")]
    [InlineData("bytes 10-18/20")]
    [InlineData("bytes 0--1/0")]
    [InlineData("bytes -1-8/20")]
    [InlineData("bytes=10-19/20")]
    [InlineData("lines 10-19/20")]
    [InlineData("bytes 10-19/20, bytes 10-19/20")]
    [InlineData("bytes 99999999999999999999-99999999999999999999/99999999999999999999")]
    [InlineData("10-19/20")]
    [InlineData("")]
    public async Task Put_ContentRangeThatIsNone_IsABadRequestWithTheCure(string value)
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutPartAsync(Path, new byte[10], 0, 20);
        var response = await http.SendLiteralAsync("PUT", Path, $"Content-Range: {value}\r\nContent-Length: 10\r\n", "0123456789");
        Assert.StartsWith("HTTP/1.1 400 ", response, StringComparison.Ordinal);
        Assert.Contains("Content-Range", response, StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.NotFound, 10), await http.OffsetAsync(HttpMethod.Head, Path));
    }

    [Fact]
    public async Task Put_PartWithoutALength_NeedsOne()
    {
        await using var http = await FileHttp.StartAsync();
        var response = await http.SendLiteralAsync("PUT", Path, "Content-Range: bytes 0-9/20\r\nTransfer-Encoding: chunked\r\n", "A\r\n0123456789\r\n0\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 411 ", response, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Put_ThatIsCutOff_KeepsWhatCameAndReportsIt()
    {
        await using var http = await FileHttp.StartAsync();
        using (var client = await http.ConnectAsync())
        {
            await client.SendAsync(FileHttp.Head("PUT", Path, "Content-Length: 10240\r\n"));
            await client.SendAsync(Bytes.AsMemory(0, 5_000));
            await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, Path)).Offset == 5_000, () => "the bytes came");
            client.Reset();
        }

        await Poll.UntilAsync(async () => (await http.Host.Admin.GetMetricsAsync()).Sum("perch_files_active") == 0, () => "the upload has ended");
        Assert.Equal((HttpStatusCode.NotFound, 5_000), await http.OffsetAsync(HttpMethod.Head, Path));
        Assert.Equal((HttpStatusCode.NotFound, 5_000), await http.OffsetAsync(HttpMethod.Get, Path));
        Assert.Equal(HttpStatusCode.NoContent, (await http.PutPartAsync(Path, Bytes[5_000..], 5_000, 10_240)).Status);
        Assert.Equal(Bytes, await http.GetAsync(Path));
    }

    [Fact]
    public async Task Put_StoreRefusesMidway_KeepsWhatCame()
    {
        await using var http = await FileHttp.StartAsync(settings => settings.Files = """{ "MaxFileBytes": 200000 }""");
        using var client = await http.ConnectAsync();
        await client.SendAsync(FileHttp.Head("PUT", Path, "Transfer-Encoding: chunked\r\nConnection: close\r\n") + $"{100_000:x}\r\n{new string('x', 100_000)}\r\n");
        await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, Path)).Offset == 100_000, () => "the bytes came");
        await client.SendAsync($"{150_000:x}\r\n{new string('x', 150_000)}\r\n0\r\n\r\n");
        Assert.Equal("HTTP/1.1 507 ", await client.ReceiveTextAsync(13));
        Assert.InRange((await http.OffsetAsync(HttpMethod.Head, Path)).Offset, 100_000, 200_000);
    }

    [Fact]
    public async Task Head_FileAndUnfinishedUpload_HasBoth()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, Bytes);
        await http.PutPartAsync(Path, new byte[7], 0, 20);
        using var response = await http.SendAsync(HttpMethod.Head, Path);
        Assert.Equal((HttpStatusCode.OK, 10_240L), (response.StatusCode, response.Content.Headers.ContentLength));
        Assert.Equal(["7"], response.Headers.GetValues("Upload-Offset"));
        Assert.True(response.Headers.CacheControl!.NoStore);
    }

    [NeighbourFact("curl")]
    public async Task Curl_ContinuesAnUpload_AsItsUserMeans()
    {
        await using var http = await FileHttp.StartAsync();
        var file = System.IO.Path.Combine(http.Host.Folder.Root, "a.bin");
        await File.WriteAllBytesAsync(file, Bytes);
        var (curl, url) = ($"curl -s -o /dev/null -w '%{{http_code}}' -H 'X-Api-Key: {FileHttp.Key}'", http.Host.Admin.Url + Path);
        Task<string> RunAsync(string arguments) => Neighbour.RunAsync("sh", ["-c", $"{curl} {arguments} {url}"], "");

        await http.PutPartAsync(Path, Bytes[..10_000], 0, 10_240);
        Assert.Equal("204", await RunAsync($"-C 10000 -T {file}"));
        Assert.Equal(Bytes, await http.GetAsync(Path));
        // The file is whole: there is nothing that could go on.
        Assert.Equal("409", await RunAsync($"-C 10000 -T {file}"));
        Assert.Equal(Bytes, await http.GetAsync(Path));
        // curl asks no server how much it has, and sends the whole file.
        await http.PutPartAsync(Path, new byte[100], 0, 10_240);
        Assert.Equal("204", await RunAsync($"-C - -T {file}"));
        Assert.Equal(Bytes, await http.GetAsync(Path));
        await File.WriteAllBytesAsync(file, []);
        Assert.Equal("204", await RunAsync($"-C - -T {file}"));
        Assert.Empty(await http.GetAsync(Path));
    }
}

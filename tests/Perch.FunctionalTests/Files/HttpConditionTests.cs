using System.Globalization;
using System.Net;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files;

/// <summary>Conditions over HTTP (RFC 9110, section 13), for every method.</summary>
public sealed class HttpConditionTests
{
    private const string Path = "/files/a";
    private const string Future = "Fri, 01 Jan 2100 00:00:00 GMT";
    private const string Past = "Sat, 01 Jan 2000 00:00:00 GMT";

    private static readonly byte[] Bytes = "old"u8.ToArray();

    private static readonly string Tag = $"\"{FileFolder.Hash(Bytes)}\"";

    /// <summary>Conditions in the form <c>header: value</c>, the response to a read, and whether a change is made. TAG is the file's.</summary>
    public static TheoryData<string, int, bool> Cases => new()
    {
        { "If-Match: TAG", 200, true },
        { "If-Match: *", 200, true },
        { "If-Match: \"x\", TAG", 200, true },
        { "If-Match: \"x\"", 412, false },
        { "If-Match: W/TAG", 412, false },
        { "If-None-Match: TAG", 304, false },
        { "If-None-Match: W/TAG", 304, false },
        { "If-None-Match: *", 304, false },
        { "If-None-Match: \"x\"", 200, true },
        { $"If-Unmodified-Since: {Past}", 412, false },
        { $"If-Unmodified-Since: {Future}", 200, true },
        { "If-Unmodified-Since: yesterday", 200, true },
        { $"If-Modified-Since: {Future}", 304, true },
        { $"If-Modified-Since: {Past}", 200, true },
        // RFC 9110, section 13.2.2: the first of two conditions of one kind counts alone.
        { $"If-Match: TAG\nIf-Unmodified-Since: {Past}", 200, true },
        { $"If-None-Match: \"x\"\nIf-Modified-Since: {Future}", 200, true },
        { "If-Match: \"x\"\nIf-None-Match: TAG", 412, false },
        { "If-Match: TAG\nIf-None-Match: TAG", 304, false },
        { $"If-Match: TAG\nIf-Modified-Since: {Future}", 304, true },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task AllMethods_Condition_IsEvaluated(string conditions, int read, bool isChanged)
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, Bytes);
        var headers = conditions.Replace("TAG", Tag, StringComparison.Ordinal).Split('\n').Select(line => line.Split(": ", 2)).Select(pair => (pair[0], pair[1])).ToArray();
        foreach (var method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Head])
        {
            using var response = await http.SendAsync(method, Path, null, headers);
            Assert.Equal(read, (int)response.StatusCode);
            Assert.Equal(Tag, response.Headers.ETag?.Tag);
            Assert.NotNull(response.Content.Headers.LastModified);
        }

        var expected = isChanged ? HttpStatusCode.NoContent : HttpStatusCode.PreconditionFailed;
        Assert.Equal(expected, await http.PutAsync(Path, "new"u8.ToArray(), headers));
        Assert.Equal(isChanged ? "new"u8.ToArray() : Bytes, await http.GetAsync(Path));
        await http.PutAsync(Path, Bytes);
        Assert.Equal(expected, await http.StatusAsync(HttpMethod.Delete, Path, null, headers));
        Assert.Equal(isChanged ? HttpStatusCode.NotFound : HttpStatusCode.OK, await http.StatusAsync(HttpMethod.Get, Path));
    }

    [Fact]
    public async Task AllMethods_NoFile_ConditionsAreThoseOfAFreeName()
    {
        await using var http = await FileHttp.StartAsync();
        // Without the condition the response is 404, so the condition does not count (section 13.2.1).
        foreach (var method in (HttpMethod[])[HttpMethod.Get, HttpMethod.Head, HttpMethod.Delete])
            Assert.Equal(HttpStatusCode.NotFound, await http.StatusAsync(method, Path, null, ("If-Match", "*")));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await http.PutAsync(Path, Bytes, ("If-Match", "*")));
        Assert.Equal((HttpStatusCode.NotFound, -1), await http.OffsetAsync(HttpMethod.Head, Path));
        Assert.Equal(HttpStatusCode.NoContent, await http.PutAsync(Path, Bytes, ("If-None-Match", "*"), ("If-Unmodified-Since", Past)));
    }

    [Theory]
    [InlineData("old")]
    [InlineData("")]
    [InlineData("\"a\", b")]
    public async Task Change_TagThatIsNone_IsABadRequest(string value)
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, Bytes);
        foreach (var header in (string[])["If-Match", "If-None-Match"])
        {
            foreach (var method in (string[])["PUT", "DELETE"])
                Assert.StartsWith("HTTP/1.1 400 ", await http.SendLiteralAsync(method, Path, $"{header}: {value}\r\nContent-Length: 1\r\n", "x"), StringComparison.Ordinal);
        }

        Assert.Equal(Bytes, await http.GetAsync(Path));
        Assert.StartsWith("HTTP/1.1 200 ", await http.SendLiteralAsync("GET", Path, $"If-None-Match: {value}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 412 ", await http.SendLiteralAsync("GET", Path, $"If-Match: {value}\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Put_ConditionThatFailsWithExpectContinue_IsAnsweredBeforeTheBody()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, Bytes);
        using var client = await http.ConnectAsync();
        await client.SendAsync(FileHttp.Head("PUT", Path, "Content-Length: 1000000\r\nExpect: 100-continue\r\nIf-None-Match: *\r\n"));
        Assert.Equal("HTTP/1.1 412 ", await client.ReceiveTextAsync(13));
    }

    [Fact]
    public async Task Put_ConditionThatFailsOnAnUnfinishedUpload_LeavesTheUpload()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutPartAsync(Path, new byte[5], 0, 10);
        Assert.Equal(HttpStatusCode.PreconditionFailed, await http.PutAsync(Path, new byte[5], ("Content-Range", "bytes 5-9/10"), ("If-Match", "*")));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await http.PutAsync(Path, new byte[5], ("If-Match", "*")));
        // The offset is refused with or without the condition.
        Assert.Equal(HttpStatusCode.Conflict, await http.PutAsync(Path, new byte[4], ("Content-Range", "bytes 6-9/10"), ("If-Match", "*")));
        Assert.Equal((HttpStatusCode.NotFound, 5), await http.OffsetAsync(HttpMethod.Head, Path));
    }

    [Fact]
    public async Task Put_FileThatComesMeanwhile_IsRefusedAndNothingIsLeft()
    {
        await using var http = await FileHttp.StartAsync();
        using var client = await http.ConnectAsync();
        await client.SendAsync(FileHttp.Head("PUT", Path, "Content-Length: 10\r\nConnection: close\r\nIf-None-Match: *\r\n") + "01234");
        await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, Path)).Offset == 5, () => "the upload has begun");
        await http.PutAsync(Path, Bytes);
        await client.SendAsync("56789");
        Assert.StartsWith("HTTP/1.1 412 ", await client.ReceiveTextToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(Bytes, await http.GetAsync(Path));
        Assert.Equal((HttpStatusCode.OK, -1), await http.OffsetAsync(HttpMethod.Head, Path));
    }

    [Fact]
    public async Task Put_FileThatGoesMeanwhile_IsRefusedAndNothingIsLeft()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, Bytes);
        using var client = await http.ConnectAsync();
        await client.SendAsync(FileHttp.Head("PUT", Path, $"Content-Length: 10\r\nConnection: close\r\nIf-Match: {Tag}\r\n") + "01234");
        await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, Path)).Offset == 5, () => "the upload has begun");
        Assert.Equal(HttpStatusCode.NoContent, await http.StatusAsync(HttpMethod.Delete, Path));
        await client.SendAsync("56789");
        Assert.StartsWith("HTTP/1.1 412 ", await client.ReceiveTextToEndAsync(), StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.NotFound, -1), await http.OffsetAsync(HttpMethod.Head, Path));
    }

    [Fact]
    public async Task Put_ManyAtOnceWithOneCondition_ExactlyOneIsStored()
    {
        await using var http = await FileHttp.StartAsync();
        var condition = ("If-None-Match", "*");
        for (var round = 0; round < 5; round++)
        {
            var contents = Enumerable.Range(0, 24).Select(i => FileFolder.Bytes(200, seed: (round * 100) + i)).ToArray();
            var statuses = await Task.WhenAll(contents.Select(bytes => http.PutAsync(Path, bytes, condition)));
            var winner = Assert.Single(contents.Where((_, i) => statuses[i] == HttpStatusCode.NoContent));
            Assert.All(statuses, status => Assert.True(status is HttpStatusCode.NoContent or HttpStatusCode.PreconditionFailed, $"{status}"));
            Assert.Equal(winner, await http.GetAsync(Path));
            condition = ("If-Match", $"\"{FileFolder.Hash(winner)}\"");
        }

        var deleted = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => http.StatusAsync(HttpMethod.Delete, Path, null, condition)));
        Assert.Single(deleted, HttpStatusCode.NoContent);
        Assert.All(deleted, status => Assert.True(status is HttpStatusCode.NoContent or HttpStatusCode.NotFound, $"{status}"));
    }

    [Fact]
    public async Task Get_Ranges_AreThoseOfTheRfc()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, "0123456789"u8.ToArray());
        await http.PutAsync("/files/empty", []);
        var tag = $"\"{FileFolder.Hash("0123456789"u8)}\"";
        (string Range, string? IfRange, int Status, string Body)[] cases =
        [
            ("bytes=2-4", null, 206, "234"),
            ("Bytes=2-4", null, 206, "234"),
            ("bytes=8-", null, 206, "89"),
            ("bytes=8-99", null, 206, "89"),
            ("bytes=-3", null, 206, "789"),
            ("bytes=-99", null, 206, "0123456789"),
            ("bytes=10-", null, 416, ""),
            ("bytes=-0", null, 416, ""),
            ("lines=2-4", null, 200, "0123456789"),
            ("bytes=4-2", null, 200, "0123456789"),
            ("bytes", null, 200, "0123456789"),
            ("bytes=0-1,4-5", null, 200, "0123456789"),
            ("bytes=2-4", tag, 206, "234"),
            ("bytes=2-4", "W/" + tag, 200, "0123456789"),
            ("bytes=2-4", "\"x\"", 200, "0123456789"),
            ("bytes=2-4", Past, 200, "0123456789"),
            ("bytes=2-4", Future, 200, "0123456789"),
            ("bytes=2-4", "x", 200, "0123456789"),
            ("bytes=99-", "\"x\"", 200, "0123456789"),
        ];
        foreach (var (range, ifRange, status, body) in cases)
        {
            (string, string)[] headers = ifRange is null ? [("Range", range)] : [("Range", range), ("If-Range", ifRange)];
            using var response = await http.SendAsync(HttpMethod.Get, Path, null, headers);
            Assert.Equal((range, ifRange, status, body), (range, ifRange, (int)response.StatusCode, await response.Content.ReadAsStringAsync()));
            if (status == 416) Assert.Equal("bytes */10", response.Content.Headers.ContentRange!.ToString());
            using var head = await http.SendAsync(HttpMethod.Head, Path, null, headers);
            Assert.Equal((HttpStatusCode.OK, 10L), (head.StatusCode, head.Content.Headers.ContentLength));
        }

        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, await http.StatusAsync(HttpMethod.Get, "/files/empty", null, ("Range", "bytes=0-")));
        Assert.Equal(HttpStatusCode.OK, await http.StatusAsync(HttpMethod.Get, "/files/empty", null, ("Range", "bytes=-1")));
    }

    [Fact]
    public async Task Get_IfRangeWithTheDateOfTheFile_IsAPartOnceTheSecondIsOver()
    {
        await using var http = await FileHttp.StartAsync();
        await http.PutAsync(Path, Bytes);
        using var head = await http.SendAsync(HttpMethod.Head, Path);
        var date = head.Content.Headers.LastModified!.Value.ToString("R", CultureInfo.InvariantCulture);
        await Poll.UntilAsync(
            async () => await http.StatusAsync(HttpMethod.Get, Path, null, ("Range", "bytes=0-0"), ("If-Range", date)) == HttpStatusCode.PartialContent, () => "the part is sent");
    }
}

using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files;

/// <summary>Files go in and out by the programs that people have.</summary>
public sealed class FileTests
{
    private const string Upload = """{ "Port": 0, "Protocol": "upload" }""";
    private const string Files = """{ "Port": 0, "Protocol": "files" }""";
    private const string Key = "correct horse battery staple";

    [NeighbourFact("nc")]
    public async Task Netcat_UploadAndGet_GiveTheFileBack()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("upload", Upload).With("files", Files));
        var photo = await PhotoAsync(host, 3_000_000);
        Assert.Equal("ファイルアップロード完了", await ShellAsync($"nc -N 127.0.0.1 {await host.Admin.GetPortAsync("upload")} < photo.jpg", host));
        var stored = Assert.Single(Directory.GetFiles(Path.Combine(host.Folder.Root, "data/files/uploads")));
        Assert.Equal(photo, await File.ReadAllBytesAsync(stored));

        var port = await host.Admin.GetPortAsync("files");
        await ShellAsync($"printf 'GET uploads/{Path.GetFileName(stored)}\\n' | nc -N 127.0.0.1 {port} | tail -n +2 > got.jpg", host);
        Assert.Equal(photo, await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "got.jpg")));
        Assert.Equal($"OK 3000000 sha256={FileClient.Hash(photo)}\nOK\n",
            await ShellAsync($"(printf 'PUT 写真/夏 休み.jpg 3000000\\n'; cat photo.jpg; printf 'QUIT\\n') | nc -N 127.0.0.1 {port}", host));
        Assert.Equal(photo, await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "data/files/写真/夏 休み.jpg")));
        Assert.Equal("ファイルアップロード完了", await ShellAsync($"nc -N 127.0.0.1 {await host.Admin.GetPortAsync("upload")} < /dev/null", host));
    }

    [Fact]
    public async Task Put_LargeFile_PassesThePageCacheAsItIsReceived()
    {
        using var folder = new ServerFolder(new ServerSettings().With("files", Files));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        var bytes = FileFolder.Bytes(16 * 1024 * 1024);
        await client.SendAsync($"PUT a {bytes.Length}\n");
        await client.SendAsync(bytes.AsMemory(1));
        var store = Path.Combine(folder.Root, "data/files");
        // The last byte is not there yet: the upload is under way until it is.
        if (FileFolder.CanDirect(folder.Root)) await Poll.UntilAsync(() => Task.FromResult(FileFolder.HasDirect(store, server.Id)), () => "a file of the store is open past the page cache");
        await client.SendAsync(bytes.AsMemory(0, 1));
        Assert.StartsWith($"OK {bytes.Length} sha256=", await client.ReadLineAsync(), StringComparison.Ordinal);
    }

    [NeighbourFact("curl")]
    public async Task Curl_WithRangesConditionsAndKey_IsServed()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key }.With("files", Files));
        var photo = await PhotoAsync(host, 2_000_000);
        var url = $"{host.Admin.Url}/files/%E5%86%99%E7%9C%9F/a%20b.jpg";
        Assert.Equal("401", await ShellAsync($"curl -s -o /dev/null -w '%{{http_code}}' -T photo.jpg '{url}'", host));
        Assert.Equal("204", await ShellAsync($"curl -s -o /dev/null -w '%{{http_code}}' -H 'X-Api-Key: {Key}' -T photo.jpg '{url}'", host));
        Assert.Equal("204", await ShellAsync($"cat photo.jpg | curl -s -o /dev/null -w '%{{http_code}}' -H 'X-Api-Key: {Key}' -T - '{host.Admin.Url}/files/chunked'", host));
        Assert.Equal(photo, await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "data/files/写真/a b.jpg")));
        Assert.Equal(photo, await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "data/files/chunked")));

        var read = $"curl -s -H 'X-Api-Key: {Key}'";
        await ShellAsync($"{read} -r 1000-1999 -o part '{url}'; {read} -r -5 -o tail '{url}'; {read} -o whole '{url}'", host);
        Assert.Equal(photo[1000..2000], await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "part")));
        Assert.Equal(photo[^5..], await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "tail")));
        Assert.Equal(photo, await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "whole")));
        // A download that was cut off goes on.
        await ShellAsync($"head -c 500000 photo.jpg > whole; {read} -C - -o whole '{url}'", host);
        Assert.Equal(photo, await File.ReadAllBytesAsync(Path.Combine(host.Folder.Root, "whole")));

        var head = await ShellAsync($"{read} -I '{url}'", host);
        Assert.Contains($"ETag: \"{FileClient.Hash(photo)}\"", head, StringComparison.Ordinal);
        Assert.Contains("Content-Disposition: attachment; filename=", head, StringComparison.Ordinal);
        Assert.Contains("X-Content-Type-Options: nosniff", head, StringComparison.Ordinal);
        Assert.Contains("Content-Length: 2000000", head, StringComparison.Ordinal);
        Assert.Equal("304", await ShellAsync($"{read} -o /dev/null -w '%{{http_code}}' -H 'If-None-Match: \"{FileClient.Hash(photo)}\"' '{url}'", host));
        Assert.Equal("416", await ShellAsync($"{read} -o /dev/null -w '%{{http_code}}' -r 2000000- '{url}'", host));
        Assert.Equal("401", await ShellAsync($"curl -s -o /dev/null -w '%{{http_code}}' -X DELETE '{url}'", host));
        Assert.Equal("204", await ShellAsync($"curl -s -o /dev/null -w '%{{http_code}}' -X DELETE -H 'X-Api-Key: {Key}' '{url}'", host));
        Assert.Equal("404", await ShellAsync($"{read} -o /dev/null -w '%{{http_code}}' '{url}'", host));
    }

    [Fact]
    public async Task Http_ListAndDigestAndBadNames_AreAnswered()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key, Files = """{ "MaxFileBytes": 100 }""" }.With("files", Files));
        using var http = new HttpClient { BaseAddress = new(host.Admin.Url) };
        http.DefaultRequestHeaders.Add("X-Api-Key", Key);
        foreach (var name in (string[])["b", "a/2", "a/1"]) Assert.Equal(HttpStatusCode.NoContent, (await http.PutAsync($"/files/{name}", new StringContent(name))).StatusCode);
        var lines = (await host.Admin.GetAsync("/files?prefix=a/&limit=1")).Body.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var first = JsonNode.Parse(Assert.Single(lines))!;
        Assert.Equal(("a/1", 3, FileClient.Hash("a/1"u8), "admin"), (first["name"]!.GetValue<string>(), first["length"]!.GetValue<int>(), first["sha256"]!.GetValue<string>(), first["endpoint"]!.GetValue<string>()));
        Assert.Equal(["a/2", "b"], (await host.Admin.GetAsync("/files?after=a/1")).Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!["name"]!.GetValue<string>()));
        foreach (var query in (string[])["limit=0", "limit=x", "prefix=../", "nothing=1"]) Assert.Equal(HttpStatusCode.BadRequest, (await host.Admin.GetAsync($"/files?{query}")).Status);

        Assert.Equal(HttpStatusCode.UnprocessableEntity, await PutAsync(http, "c", "c", FileClient.Hash("other"u8)));
        Assert.Equal(HttpStatusCode.NoContent, await PutAsync(http, "c", "c", FileClient.Hash("c"u8)));
        Assert.Equal(HttpStatusCode.BadRequest, await PutAsync(http, "d", "d", "00"));
        Assert.Equal(HttpStatusCode.InsufficientStorage, await PutAsync(http, "d", new string('d', 101), null));
        Assert.Equal(HttpStatusCode.Conflict, await PutAsync(http, "a", "x", null));
        foreach (var name in (string[])["a%5Cb", "a%0Ab", ".perch/lock", "a//b", new string('a', 300), "a%E2%80%AEb"]) Assert.Equal(HttpStatusCode.BadRequest, await PutAsync(http, name, "x", null));
    }

    private static async Task<HttpStatusCode> PutAsync(HttpClient http, string name, string text, string? sha256)
    {
        using var content = new StringContent(text, Encoding.UTF8);
        using var request = new HttpRequestMessage(HttpMethod.Put, $"/files/{name}") { Content = content };
        if (sha256 is not null) request.Headers.TryAddWithoutValidation("Repr-Digest", $"sha-256=:{Convert.ToBase64String(Convert.FromHexString(sha256))}:");
        using var response = await http.SendAsync(request);
        return response.StatusCode;
    }

    private static async Task<byte[]> PhotoAsync(PerchHost host, int length)
    {
        var photo = new byte[length];
        new Random(length).NextBytes(photo);
        await File.WriteAllBytesAsync(Path.Combine(host.Folder.Root, "photo.jpg"), photo);
        return photo;
    }

    private static Task<string> ShellAsync(string command, PerchHost host) => Neighbour.RunAsync("sh", ["-c", $"cd '{host.Folder.Root}' && {command}"], "");
}

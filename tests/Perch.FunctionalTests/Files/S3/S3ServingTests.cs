using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Perch.Files.S3;
using Perch.FunctionalTests.Hosting;
using Xunit.Abstractions;

namespace Perch.FunctionalTests.Files.S3;

/// <summary>The executable over S3, as an operator starts it. <c>PERCH_S3_CUTS</c> sets how often an upload is cut (8 where it is not set), <c>PERCH_S3_MIB</c> the large file's size (64), <c>PERCH_S3_FILES</c> how many come at once (100).</summary>
[Collection(AloneCollection.Name)]
public sealed class S3ServingTests(ITestOutputHelper output)
{
    private const string Endpoint = """{ "Port": 0, "Protocol": "files" }""";
    private const int Mebibyte = 1024 * 1024;
    private const int MostGrowthMebibytes = 64;

    private static readonly int Cuts = int.Parse(Environment.GetEnvironmentVariable("PERCH_S3_CUTS") ?? "8", CultureInfo.InvariantCulture);

    [S3Fact]
    public async Task Cuts_OfAllKinds_AreMendedByStatAndOffset()
    {
        var bytes = Bytes(24 * Mebibyte);
        var hash = FileClient.Hash(bytes);
        var random = new Random(3);
        using var folder = await FolderAsync();
        var server = await ServerProcess.StartAsync(folder);
        try
        {
            for (var cut = 0; cut < Cuts; cut++)
            {
                using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
                var offset = await client.PartialAsync("写真/a");
                var more = (int)Math.Min(random.Next(1, bytes.Length / 3), bytes.Length - 1 - offset);
                await client.SendAsync($"PUT 写真/a {bytes.Length} sha256={hash} offset={offset}\n");
                await client.SendAsync(bytes.AsMemory((int)offset, more));
                if (cut % 2 == 0)
                {
                    client.Reset();
                    continue;
                }

                server.Signal(ServerProcess.Sigkill);
                await server.WaitForExitAsync();
                await server.DisposeAsync();
                server = await ServerProcess.StartAsync(folder);
            }

            using var last = FileClient.Connect(await server.Admin.GetPortAsync("files"));
            var rest = (int)await last.PartialAsync("写真/a");
            await last.SendAsync($"PUT 写真/a {bytes.Length} sha256={hash} offset={rest}\n");
            await last.SendAsync(bytes.AsMemory(rest));
            Assert.Equal($"OK {bytes.Length} sha256={hash}", await last.ReadLineAsync());
            Assert.Equal($"OK {bytes.Length} sha256={hash} total={bytes.Length}", await last.AskAsync("GET 写真/a"));
            Assert.Equal(hash, await last.ReadHashAsync(bytes.Length));
        }
        finally
        {
            await server.DisposeAsync();
        }

        var verified = await ServerProcess.RunAsync(folder, "--verify-files");
        Assert.True(verified.ExitCode == 0, verified.Output);
        Assert.EndsWith("1 entries, 0 faults.", verified.Output.TrimEnd(), StringComparison.Ordinal);
    }

    [S3Fact]
    public async Task Uploads_ManyOfAMebibyteAtOnce_AreAllStored()
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("PERCH_S3_FILES") ?? "100", CultureInfo.InvariantCulture);
        var bytes = Bytes(Mebibyte);
        var hash = FileClient.Hash(bytes);
        using var folder = await FolderAsync();
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("files");
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, count).Select(async i =>
        {
            using var client = FileClient.Connect(port);
            await client.SendAsync($"PUT d{i % 10}/f{i} {bytes.Length} sha256={hash}\n");
            await client.SendAsync(bytes);
            Assert.Equal($"OK {bytes.Length} sha256={hash}", await client.ReadLineAsync());
        }));
        output.WriteLine($"{count} MiB in {watch.Elapsed.TotalSeconds:0.0} s");
        using var reader = FileClient.Connect(port);
        Assert.Equal($"OK {Math.Min(count, 1000)}", await reader.AskAsync("LIST"));
    }

    [S3Fact]
    public async Task Server_ThatIsDown_IsToldAndServesAgainByItself()
    {
        var bytes = Bytes(12 * Mebibyte);
        var hash = FileClient.Hash(bytes);
        await using var relay = S3Relay.To(S3Server.Url(S3Server.Swift));
        using var folder = await FolderAsync(options => (options.ServiceUrl, options.Retries) = ($"http://127.0.0.1:{relay.Port}", 1));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        Assert.Equal($"OK 0 sha256={FileClient.Hash([])}", await client.AskAsync("PUT empty 0"));
        await client.SendAsync($"PUT a {bytes.Length} sha256={hash}\n");
        await client.SendAsync(bytes.AsMemory(0, 6 * Mebibyte));
        using var other = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        await Poll.UntilAsync(async () => await other.PartialAsync("a") >= 5 * Mebibyte, () => "the first part is there");

        relay.Down();
        Assert.StartsWith("ERR unavailable ", await other.AskAsync("GET empty"), StringComparison.Ordinal);
        Assert.StartsWith("ERR unavailable ", await other.AskAsync("STAT empty"), StringComparison.Ordinal);
        Assert.StartsWith("ERR unavailable ", await other.AskAsync("LIST"), StringComparison.Ordinal);
        Assert.StartsWith("ERR unavailable ", await other.AskAsync("PUT b 0"), StringComparison.Ordinal);
        await client.SendAsync(bytes.AsMemory(6 * Mebibyte));
        Assert.StartsWith("ERR unavailable ", await client.ReadLineAsync(), StringComparison.Ordinal);
        await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable, () => "readiness is red");

        relay.Up();
        await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.OK, () => "readiness is green again");
        Assert.Equal($"OK 0 sha256={FileClient.Hash([])} total=0", await client.AskAsync("GET empty"));
        var offset = (int)await client.PartialAsync("a");
        Assert.InRange(offset, 5 * Mebibyte, bytes.Length);
        await client.SendAsync($"PUT a {bytes.Length} sha256={hash} offset={offset}\n");
        await client.SendAsync(bytes.AsMemory(offset));
        Assert.Equal($"OK {bytes.Length} sha256={hash}", await client.ReadLineAsync());
        var metrics = await server.Admin.GetMetricsAsync();
        Assert.True(metrics.Sum("perch_files_store_errors_total") > 0);
    }

    [S3Fact]
    public async Task Memory_LargeFileUpAndDown_GrowsByLittle()
    {
        var mebibytes = int.Parse(Environment.GetEnvironmentVariable("PERCH_S3_MIB") ?? "64", CultureInfo.InvariantCulture);
        var length = (long)mebibytes * Mebibyte;
        using var folder = await FolderAsync();
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        var block = Bytes(Mebibyte);
        // What the first use of everything takes is not the file's.
        await client.SendAsync($"PUT warm {6 * Mebibyte}\n");
        for (var i = 0; i < 6; i++) await client.SendAsync(block);
        await client.ReadLineAsync();
        await client.AskAsync("GET warm");
        await client.ReadHashAsync(6 * Mebibyte);
        var before = server.WorkingSet() / Mebibyte;
        var peak = before;
        var watch = Stopwatch.StartNew();
        await client.SendAsync($"PUT large {length}\n");
        for (var i = 0; i < mebibytes; i++)
        {
            await client.SendAsync(block);
            if (i % 4 == 0) peak = Math.Max(peak, server.WorkingSet() / Mebibyte);
        }

        var stored = await client.ReadLineAsync();
        output.WriteLine($"up: {mebibytes / watch.Elapsed.TotalSeconds:0} MiB/s");
        watch.Restart();
        Assert.StartsWith($"OK {length} ", await client.AskAsync("GET large"), StringComparison.Ordinal);
        Assert.Equal(stored, $"OK {length} sha256={await client.ReadHashAsync(length)}");
        peak = Math.Max(peak, server.WorkingSet() / Mebibyte);
        output.WriteLine($"down: {mebibytes / watch.Elapsed.TotalSeconds:0} MiB/s; {before} MiB before, {peak} MiB at most");
        Assert.InRange(peak - before, -before, MostGrowthMebibytes);
        Assert.Empty(Directory.GetFiles(Path.Combine(folder.Root, "data", "spool")));
    }

    [S3Fact]
    public async Task Uploads_ManyAtOnce_AreAllStored()
    {
        const int Uploads = 100;
        using var folder = await FolderAsync();
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("files");
        var block = Bytes(Mebibyte / 2);
        var hash = FileClient.Hash(block);
        var before = server.WorkingSet() / Mebibyte;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Uploads).Select(async i =>
        {
            using var client = FileClient.Connect(port);
            // Every third name is wanted by two.
            await client.SendAsync($"PUT d{i / 10}/f{(i % 4 == 1 ? i - 1 : i):D3} {block.Length} sha256={hash}\n");
            await client.SendAsync(block);
            Assert.Equal($"OK {block.Length} sha256={hash}", await client.ReadLineAsync());
        }));
        output.WriteLine($"{Uploads} of {block.Length} bytes: {watch.Elapsed.TotalSeconds:0.0} s; {before} MiB before, {server.WorkingSet() / Mebibyte} MiB after");
        using var reader = FileClient.Connect(port);
        Assert.Equal($"OK {Uploads * 3 / 4}", await reader.AskAsync("LIST"));
        for (var i = 0; i < Uploads * 3 / 4; i++) Assert.StartsWith($"{block.Length} {hash} ", await reader.ReadLineAsync(), StringComparison.Ordinal);
    }

    [S3Fact]
    public async Task TwoServers_OneBucket_ShareTheFilesOverTcpAndHttp()
    {
        using var folder = await FolderAsync();
        await using var first = await ServerProcess.StartAsync(folder);
        await using var second = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await first.Admin.GetPortAsync("files"));
        await client.SendAsync("PUT 写真/海.txt 5\nhello");
        Assert.Equal($"OK 5 sha256={FileClient.Hash("hello"u8)}", await client.ReadLineAsync());
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{second.Admin.Url.TrimEnd('/')}/files/写真/海.txt");
        request.Headers.Range = new(1, 3);
        using var response = await http.SendAsync(request);
        Assert.Equal((HttpStatusCode.PartialContent, "ell", $"\"{FileClient.Hash("hello"u8)}\""), (response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.ETag!.Tag));
    }

    [S3Fact]
    public async Task Http_ConditionThatTheServerDoesNotKeep_IsNotImplemented()
    {
        using var folder = new ServerFolder(new ServerSettings { ApiKey = FileHttp.Key, Files = await FilesAsync() });
        await using var server = await ServerProcess.StartAsync(folder);
        using var http = new HttpClient { BaseAddress = new(server.Admin.Url) };
        http.DefaultRequestHeaders.Add("X-Api-Key", FileHttp.Key);
        using var request = new HttpRequestMessage(HttpMethod.Put, "/files/a") { Content = new StringContent("x") };
        request.Headers.TryAddWithoutValidation("If-None-Match", "*");
        using var response = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotImplemented, response.StatusCode);
        Assert.Contains("send the request without the condition", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var get = await http.GetAsync(new Uri("/files/a", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
    }

    [Fact]
    public async Task Keys_ThatAreWrong_AreToldWithTheirCureAndNoSecret()
    {
        using var folder = new ServerFolder(new ServerSettings
        {
            Files = """{ "Store": "S3", "Prefix": "a", "ServiceUrl": "s3.example.org", "SecretKey": "geheim" }""",
        }.With("files", Endpoint));
        var ended = await ServerProcess.RunAsync(folder, "--check");
        Assert.Equal(2, ended.ExitCode);
        foreach (var key in (string[])["Bucket", "Prefix", "ServiceUrl", "AccessKey"]) Assert.Contains($"Perch:Files:{key}", ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", ended.Errors + ended.Output, StringComparison.Ordinal);
    }

    private static byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        new Random(1).NextBytes(bytes);
        return bytes;
    }

    private static async Task<ServerFolder> FolderAsync(Action<S3Options>? configure = null) =>
        new(new ServerSettings { Log = "Warning", Files = await FilesAsync(configure) }.With("files", Endpoint));

    private static async Task<string> FilesAsync(Action<S3Options>? configure = null)
    {
        var options = await S3Server.OptionsAsync(S3Server.Swift, configure);
        return JsonSerializer.Serialize(new
        {
            Store = "S3",
            options.Bucket,
            options.Prefix,
            options.ServiceUrl,
            options.PathStyle,
            options.AccessKey,
            options.SecretKey,
            options.PartBytes,
            options.PartsInFlight,
            options.Retries,
        });
    }
}

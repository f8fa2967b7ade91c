using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Cli;

/// <summary><c>perch put|get|ls|stat|rm</c> and the real server.</summary>
public sealed class ClientFileTests
{
    private const int Sigterm = ServerProcess.Sigterm;

    private static ServerSettings Settings() => new ServerSettings { Log = "Warning" }.With("files", """{ "Port": 0, "Protocol": "files" }""");

    [Fact]
    public async Task Folder_PutListedFetchedAndDeleted_IsTheSame()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        var url = $"files://127.0.0.1:{await host.Admin.GetPortAsync("files")}";
        using var work = new ServerFolder();
        var files = new Dictionary<string, byte[]> { ["a.txt"] = "alpha"u8.ToArray(), ["sub/my b.bin"] = Random(300_000), ["sub/deep/空.txt"] = [], ["sub/deep/c"] = Random(70_000) };
        foreach (var (name, bytes) in files) Write(Path.Combine(work.Root, "photos", name), bytes);

        var put = await PerchClient.SucceedAsync(work.Root, "put", url, "photos", "--json");
        Assert.Equal(4, put.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.All(put.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Equal("stored", JsonNode.Parse(line)!["outcome"]!.GetValue<string>()));

        Assert.All((await PerchClient.SucceedAsync(work.Root, "put", url, "photos", "--json")).Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Equal("unchanged", JsonNode.Parse(line)!["outcome"]!.GetValue<string>()));

        var listed = (await PerchClient.SucceedAsync(work.Root, "ls", $"{url}/photos/", "--json")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal(["photos/a.txt", "photos/sub/deep/c", "photos/sub/deep/空.txt", "photos/sub/my b.bin"], listed.Select(file => file["name"]!.GetValue<string>()));

        await PerchClient.SucceedAsync(work.Root, "get", $"{url}/photos/", "back");
        foreach (var (name, bytes) in files) Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(work.Root, "back", name)));
        Assert.Equal(files.Count, Directory.GetFiles(Path.Combine(work.Root, "back"), "*", SearchOption.AllDirectories).Length);

        Assert.Equal("alpha", await PerchClient.SucceedAsync(work.Root, "get", $"{url}/photos/a.txt", "-"));
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData("alpha"u8)), await PerchClient.SucceedAsync(work.Root, "stat", $"{url}/photos/a.txt"), StringComparison.Ordinal);

        await PerchClient.SucceedAsync(work.Root, "rm", $"{url}/photos/a.txt");
        var gone = await PerchClient.RunAsync(work.Root, "", "stat", $"{url}/photos/a.txt");
        Assert.Equal((1, "perch: photos/a.txt: refused (not-found): there is no file of this name\n"), (gone.ExitCode, gone.Errors));
        await PerchClient.SucceedAsync(work.Root, "rm", "--recursive", $"{url}/photos/");
        Assert.Equal("", await PerchClient.SucceedAsync(work.Root, "ls", url));
    }

    [Fact]
    public async Task Put_OfNamesThatTheServerDoesNotTake_TellsThemAndSendsTheRest()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        var url = $"files://127.0.0.1:{await host.Admin.GetPortAsync("files")}";
        using var work = new ServerFolder();
        Write(Path.Combine(work.Root, "x", ".hidden"), [1]);
        Write(Path.Combine(work.Root, "x", "good"), [2]);

        var put = await PerchClient.RunAsync(work.Root, "", "put", url, "x", "missing");
        Assert.Equal(1, put.ExitCode);
        Assert.Contains(".hidden: the server takes no such name", put.Errors, StringComparison.Ordinal);
        Assert.Contains("missing: there is no such file", put.Errors, StringComparison.Ordinal);
        Assert.Contains("x/good", await PerchClient.SucceedAsync(work.Root, "ls", url), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Put_BehindThePartOfAnotherVersion_BeginsAnew()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        var port = await host.Admin.GetPortAsync("files");
        using var work = new ServerFolder();
        using (var other = await Client.ConnectAsync(port))
        {
            await other.SendAsync("PUT a 500000\n");
            await other.SendAsync(Random(200_000));
            other.EndInput();
            await other.ReceiveToEndAsync();
        }

        var bytes = Random(400_000);
        Write(Path.Combine(work.Root, "a"), bytes);
        Assert.Equal("stored", JsonNode.Parse(await PerchClient.SucceedAsync(work.Root, "put", $"files://127.0.0.1:{port}", "a", "--json"))!["outcome"]!.GetValue<string>());
        await PerchClient.SucceedAsync(work.Root, "get", $"files://127.0.0.1:{port}/a", "b");
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(work.Root, "b")));
    }

    [Fact]
    public async Task Get_BehindADamagedPart_BeginsAnew()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        var url = $"files://127.0.0.1:{await host.Admin.GetPortAsync("files")}";
        using var work = new ServerFolder();
        var bytes = Random(400_000);
        Write(Path.Combine(work.Root, "a"), bytes);
        await PerchClient.SucceedAsync(work.Root, "put", url, "a");
        Write(Path.Combine(work.Root, $"b.{Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]}.part"), new byte[1000]);
        Write(Path.Combine(work.Root, "b.0123456789abcdef.part"), new byte[1000]);

        await PerchClient.SucceedAsync(work.Root, "get", $"{url}/a", "b");

        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(work.Root, "b")));
        Assert.Empty(Directory.GetFiles(work.Root, "*.part"));
    }

    [Fact]
    public async Task Put_StoppedByASignal_SaysSoAndIsResumed()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        var url = $"files://127.0.0.1:{await host.Admin.GetPortAsync("files")}/a";
        using var work = new ServerFolder();
        Write(Path.Combine(work.Root, "a"), Random(2_000_000));
        await using var client = PerchClient.Start(work.Root, "put", url, "a", "--limit-rate", "500k");
        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_files_size_bytes") > 100_000, () => "the upload has begun");
        client.Signal(Sigterm);
        Assert.Equal(128 + Sigterm, (await client.EndAsync()).ExitCode);
        Assert.Equal("resumed", JsonNode.Parse(await PerchClient.SucceedAsync(work.Root, "put", url, "a", "--json"))!["outcome"]!.GetValue<string>());
    }

    private static byte[] Random(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    private static void Write(string path, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }
}

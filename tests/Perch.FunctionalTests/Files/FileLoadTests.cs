using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Perch.Files.Disk;
using Perch.FunctionalTests.Hosting;
using Perch.Wire.Files;
using Xunit.Abstractions;

namespace Perch.FunctionalTests.Files;

/// <summary>
/// Many files, and large ones. <c>PERCH_FILE_MIB</c> sets the large one's size (256 where it is not set), <c>PERCH_FILES</c> how many are
/// listed (10,000).
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class FileLoadTests(ITestOutputHelper output)
{
    private const string Files = """{ "Port": 0, "Protocol": "files" }""";
    private const int Mebibyte = 1024 * 1024;
    private const int MostGrowthMebibytes = 64;

    [Fact]
    public async Task Memory_LargeFileUpAndDown_GrowsByLittle()
    {
        var mebibytes = int.Parse(Environment.GetEnvironmentVariable("PERCH_FILE_MIB") ?? "256", CultureInfo.InvariantCulture);
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", Files));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        var block = new byte[Mebibyte];
        new Random(1).NextBytes(block);
        // What the first use of everything takes is not the file's.
        await client.SendAsync($"PUT warm {block.Length}\n");
        await client.SendAsync(block);
        await client.ReadLineAsync();
        await client.AskAsync("GET warm");
        await client.ReadHashAsync(block.Length);
        var before = server.WorkingSet() / Mebibyte;
        var peak = before;

        var watch = Stopwatch.StartNew();
        await client.SendAsync($"PUT large {(long)mebibytes * Mebibyte}\n");
        for (var i = 0; i < mebibytes; i++)
        {
            await client.SendAsync(block);
            if (i % 16 == 0) peak = Math.Max(peak, server.WorkingSet() / Mebibyte);
        }

        var stored = await client.ReadLineAsync();
        output.WriteLine($"up: {mebibytes / watch.Elapsed.TotalSeconds:0} MiB/s");
        watch.Restart();
        Assert.StartsWith($"OK {(long)mebibytes * Mebibyte} ", await client.AskAsync("GET large"), StringComparison.Ordinal);
        var reading = client.ReadHashAsync((long)mebibytes * Mebibyte);
        while (!reading.IsCompleted)
        {
            peak = Math.Max(peak, server.WorkingSet() / Mebibyte);
            await Task.WhenAny(reading, Task.Delay(50));
        }

        Assert.Equal(stored, $"OK {(long)mebibytes * Mebibyte} sha256={await reading}");
        output.WriteLine($"down: {mebibytes / watch.Elapsed.TotalSeconds:0} MiB/s; {before} MiB before, {peak} MiB at most");
        Assert.InRange(peak - before, -before, MostGrowthMebibytes);
    }

    [Fact]
    public async Task Uploads_AThousandOfAMebibyteAtOnce_AreAllStored()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", Files));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("files");
        var block = new byte[Mebibyte];
        new Random(2).NextBytes(block);
        var hash = FileClient.Hash(block);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i =>
        {
            using var client = FileClient.Connect(port);
            await client.SendAsync($"PUT d{i % 10}/f{i} {block.Length} sha256={hash}\n");
            await client.SendAsync(block.AsMemory(0, Mebibyte / 2));
            await client.SendAsync(block.AsMemory(Mebibyte / 2));
            Assert.Equal($"OK {block.Length} sha256={hash}", await client.ReadLineAsync());
        }));
        output.WriteLine($"1000 MiB in {watch.Elapsed.TotalSeconds:0.0} s");
        using var reader = FileClient.Connect(port);
        Assert.Equal("OK 1000", await reader.AskAsync("LIST"));
        for (var i = 0; i < 1000; i++) Assert.StartsWith($"{block.Length} {hash} ", await reader.ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_ManyFiles_ComesInPages()
    {
        var files = int.Parse(Environment.GetEnvironmentVariable("PERCH_FILES") ?? "10000", CultureInfo.InvariantCulture);
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", Files));
        await using (await ServerProcess.StartAsync(folder))
        {
            // Makes the store's folders, once its endpoint needs them.
            await Poll.UntilAsync(() => Directory.Exists(Path.Combine(folder.Root, "data/files/.perch/meta/f")), () => "the store is open");
        }

        Plant(Path.Combine(folder.Root, "data/files"), files);
        var watch = Stopwatch.StartNew();
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        await client.AskAsync("STAT none");
        output.WriteLine($"open: {watch.Elapsed.TotalSeconds:0.0} s");
        var before = server.WorkingSet() / Mebibyte;
        watch.Restart();
        var (after, listed, pages) = ("", 0, 0);
        for (var count = -1; count != 0; pages++)
        {
            count = int.Parse((await client.AskAsync($"LIST{(after.Length > 0 ? $" after={after}" : "")}"))["OK ".Length..], CultureInfo.InvariantCulture);
            for (var i = 0; i < count; i++, listed++)
            {
                var name = (await client.ReadLineAsync()).Split(' ')[3];
                Assert.True(string.CompareOrdinal(after, name) < 0);
                after = name;
            }
        }

        Assert.Equal((files, (files / 1000) + 1), (listed, pages));
        output.WriteLine($"{pages} pages: {watch.Elapsed.TotalSeconds:0.0} s; {before} MiB before, {server.WorkingSet() / Mebibyte} MiB after");
        Assert.InRange(server.WorkingSet() / Mebibyte - before, -before, MostGrowthMebibytes);
    }

    /// <summary>Empty files as the store would have made them, without its syncs.</summary>
    private static void Plant(string root, int count)
    {
        var time = TimeProvider.System.GetUtcNow();
        var hash = FileClient.Hash([]);
        Parallel.For(0, count, i =>
        {
            Assert.True(FileName.TryParse($"f{i:000000}", out var name, out _));
            var key = DiskMetadata.KeyOf(name);
            File.Create(Path.Combine(root, name.Value)).Dispose();
            File.WriteAllBytes(Path.Combine(root, ".perch/meta", key[..1], key),
                JsonSerializer.SerializeToUtf8Bytes(new DiskMetadata(name.Value, 0, hash, time, "files", "test", 0), DiskMetadataJson.Default.DiskMetadata));
        });
    }
}

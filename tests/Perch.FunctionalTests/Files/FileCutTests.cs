using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Files;

/// <summary>
/// One upload, cut off at random places until it is whole. <c>PERCH_CUTS</c> sets how often (20 where it is not set).
/// </summary>
public sealed class FileCutTests
{
    private const string Files = """{ "Port": 0, "Protocol": "files" }""";
    private static readonly int Cuts = int.Parse(Environment.GetEnvironmentVariable("PERCH_CUTS") ?? "20", CultureInfo.InvariantCulture);

    private enum Cut
    {
        ClientCloses,
        ClientResets,
        ServerKilled,
    }

    /// <remarks>The large one comes in whole parts, several of them under way and past the page cache.</remarks>
    [Theory]
    [InlineData(8 * 1024 * 1024)]
    [InlineData(160 * 1024 * 1024)]
    public async Task Cuts_OfAllKinds_AreMendedByStatAndOffset(int length)
    {
        var bytes = new byte[length];
        var random = new Random(9995);
        random.NextBytes(bytes);
        var hash = FileClient.Hash(bytes);
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", Files));
        var server = await ServerProcess.StartAsync(folder);
        try
        {
            using (var first = FileClient.Connect(await server.Admin.GetPortAsync("files"))) Assert.StartsWith("OK 3 ", await PutAsync(first, "a", "old"u8.ToArray()), StringComparison.Ordinal);
            for (var cut = 0; cut < Cuts; cut++)
            {
                var port = await server.Admin.GetPortAsync("files");
                using var client = FileClient.Connect(port);
                Assert.Equal($"OK 3 sha256={FileClient.Hash("old"u8)} total=3", await client.AskAsync("GET a"));
                Assert.Equal(FileClient.Hash("old"u8), await client.ReadHashAsync(3));
                var offset = await client.PartialAsync("a");
                var more = (int)Math.Min(random.Next(1, 2 * length / Cuts), length - 1 - offset);
                await client.SendAsync($"PUT a {length} sha256={hash} offset={offset}\n");
                await client.SendAsync(bytes.AsMemory((int)offset, more));
                switch ((Cut)random.Next(3))
                {
                    case Cut.ClientCloses:
                        break;
                    case Cut.ClientResets:
                        client.Reset();
                        break;
                    default:
                        server.Signal(ServerProcess.Sigkill);
                        await server.WaitForExitAsync();
                        await server.DisposeAsync();
                        await VerifyAsync(folder);
                        server = await ServerProcess.StartAsync(folder);
                        break;
                }
            }

            using var last = FileClient.Connect(await server.Admin.GetPortAsync("files"));
            string answer;
            do
            {
                var rest = (int)await last.PartialAsync("a");
                await last.SendAsync($"PUT a {length} sha256={hash} offset={rest}\n");
                await last.SendAsync(bytes.AsMemory(rest));
                answer = await last.ReadLineAsync();
                // A command of a client that has left may be served later than the next one's question, and have begun anew.
            }
            while (answer.StartsWith("ERR offset ", StringComparison.Ordinal));

            Assert.Equal($"OK {length} sha256={hash}", answer);
            Assert.Equal($"OK {length} sha256={hash} total={length}", await last.AskAsync("GET a"));
            Assert.Equal(hash, await last.ReadHashAsync(length));
            await VerifyAsync(folder);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task Kill_WhileManyFilesAreReplaced_LeavesOnlyWholeFiles()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", Files));
        var random = new Random(1);
        var acknowledged = new Dictionary<string, int>();
        for (var kill = 0; kill < Math.Max(3, Cuts / 4); kill++)
        {
            await using var server = await ServerProcess.StartAsync(folder);
            var port = await server.Admin.GetPortAsync("files");
            var writing = Enumerable.Range(0, 4).Select(writer => ReplaceAsync(port, writer, acknowledged)).ToList();
            // The moment is what is random here, not a wait for something.
            await Task.Delay(random.Next(50, 400));
            server.Signal(ServerProcess.Sigkill);
            await server.WaitForExitAsync();
            await Task.WhenAll(writing).WaitAsync(Poll.Deadline);
            await VerifyAsync(folder);
        }

        Assert.NotEmpty(acknowledged);
        await using var last = await ServerProcess.StartAsync(folder);
        using var client = FileClient.Connect(await last.Admin.GetPortAsync("files"));
        foreach (var (name, version) in acknowledged)
        {
            var answer = await client.AskAsync($"GET {name}");
            Assert.StartsWith("OK ", answer, StringComparison.Ordinal);
            var length = int.Parse(answer.Split(' ')[1], CultureInfo.InvariantCulture);
            // The version that was acknowledged, or the one that was on its way.
            Assert.Contains(await client.ReadHashAsync(length), (string[])[FileClient.Hash(Version(version)), FileClient.Hash(Version(version + 1))]);
        }
    }

    private static byte[] Version(int version)
    {
        var bytes = new byte[20_000 + (version % 7 * 10_000)];
        new Random(version).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Each writer has names of its own, and gives each a next version until the server is gone.</summary>
    private static async Task ReplaceAsync(int port, int writer, Dictionary<string, int> acknowledged)
    {
        try
        {
            using var client = FileClient.Connect(port);
            for (var i = 0; ; i++)
            {
                var name = $"{writer}/{i % 5}";
                int version;
                lock (acknowledged) version = acknowledged.GetValueOrDefault(name, -1) + 1;
                Assert.StartsWith("OK ", await PutAsync(client, name, Version(version)), StringComparison.Ordinal);
                lock (acknowledged) acknowledged[name] = version;
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            // The server was killed.
        }
    }

    [RootFact]
    public async Task DiskFull_AndBack_IsToldAndTheUploadIsResumed()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning", Files = """{ "MinFreeBytes": 0 }""" }.With("files", Files).With("upload", """{ "Port": 0, "Protocol": "upload" }"""));
        var path = Path.Combine(folder.Root, "data");
        Directory.CreateDirectory(path);
        await Neighbour.RunAsync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", path], "");
        try
        {
            await using var server = await ServerProcess.StartAsync(folder);
            using var client = FileClient.Connect(await server.Admin.GetPortAsync("files"));
            Assert.Equal($"OK 0 sha256={FileClient.Hash([])}", await client.AskAsync("PUT empty 0"));
            // Said to be larger than the disk: refused before its bytes.
            Assert.StartsWith("ERR full ", await client.AskAsync("PUT a 100000000"), StringComparison.Ordinal);
            client.Reset();

            using var second = FileClient.Connect(await server.Admin.GetPortAsync("files"));
            var bytes = new byte[6_000_000];
            new Random(1).NextBytes(bytes);
            await second.SendAsync($"PUT a {bytes.Length} sha256={FileClient.Hash(bytes)}\n");
            await second.SendAsync(bytes.AsMemory(0, 1_000_000));
            await Poll.UntilAsync(async () => (await server.Admin.GetMetricsAsync()).Sum("perch_files_size_bytes") >= 1_000_000, () => "the bytes are written");
            await File.WriteAllBytesAsync(Path.Combine(path, "filler"), new byte[4_000_000]);
            await second.SendAsync(bytes.AsMemory(1_000_000));
            Assert.StartsWith("ERR full ", await second.ReadLineAsync(), StringComparison.Ordinal);
            Assert.Equal($"OK 0 sha256={FileClient.Hash([])} total=0", await second.AskAsync("GET empty"));
            await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable, () => "readiness is red");
            using (var upload = await server.ConnectAsync("upload"))
            {
                await upload.TrySendAsync(bytes);
                upload.EndInput();
                Assert.StartsWith("ERR full ", await upload.ReceiveTextToEndAsync(), StringComparison.Ordinal);
            }

            File.Delete(Path.Combine(path, "filler"));
            await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.OK, () => "readiness is green again");
            var offset = (int)await second.PartialAsync("a");
            Assert.InRange(offset, 1_000_000, 5_000_000);
            await second.SendAsync($"PUT a {bytes.Length} sha256={FileClient.Hash(bytes)} offset={offset}\n");
            await second.SendAsync(bytes.AsMemory(offset));
            Assert.Equal($"OK {bytes.Length} sha256={FileClient.Hash(bytes)}", await second.ReadLineAsync());
            await VerifyAsync(folder);
        }
        finally
        {
            await Neighbour.RunAsync("umount", [path], "");
        }
    }

    private static async Task<string> PutAsync(FileClient client, string name, byte[] bytes)
    {
        await client.SendAsync($"PUT {name} {bytes.Length} sha256={FileClient.Hash(bytes)}\n");
        await client.SendAsync(bytes);
        return await client.ReadLineAsync();
    }

    private static async Task VerifyAsync(ServerFolder folder)
    {
        var verified = await ServerProcess.RunAsync(folder, "--verify-files");
        Assert.True(verified.ExitCode == 0, verified.Output);
        Assert.EndsWith(" 0 faults.", verified.Output.TrimEnd(), StringComparison.Ordinal);
    }
}

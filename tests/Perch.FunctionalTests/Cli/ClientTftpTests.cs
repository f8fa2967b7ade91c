using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Cli;

/// <summary>
/// <c>perch put|get|stat tftp://</c>, against Perch and against the servers of other people. Blocks of 64 bytes make 65,535 of them a
/// file that is soon there.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class ClientTftpTests : IDisposable
{
    private const int PastTheLastNumber = 64 * 65_540 + 7;
    private const int RefusedCode = 1;
    private const int UsageCode = 2;

    private static readonly int[] Sizes = [0, 1, 511, 512, 513, 65536];

    private readonly ServerFolder _work = new();
    private readonly ServerFolder _served = new();

    public void Dispose()
    {
        _work.Dispose();
        _served.Dispose();
    }

    [Theory]
    [InlineData("own", "", false)]
    [InlineData("own", "--blksize 512 --windowsize 1", false)]
    [InlineData("own", "--blksize 64 --windowsize 1", true)]
    [InlineData("own", "--blksize 64 --windowsize 32", true)]
    [InlineData("single", "--blksize 64 --windowsize 32", true)]
    [InlineData("single", "--blksize 65464 --windowsize 4", false)]
    public async Task Perch_PutStatAndGet_IsTheFile(string endpoint, string options, bool large)
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await TransferAsync(await host.Admin.GetPortAsync(endpoint), options, large);
    }

    [NeighbourTheory("in.tftpd", Capability.SysChroot)]
    [InlineData("", false)]
    [InlineData("--blksize 512 --windowsize 1", false)]
    [InlineData("--blksize 64 --windowsize 1", true)]
    [InlineData("--blksize 64 --windowsize 32", true)]
    public async Task TftpdHpa_PutStatAndGet_IsTheFile(string options, bool large)
    {
        await using var server = await StartAsync("in.tftpd", port => ["-L", "-c", "-p", "-u", "root", "-a", $"127.0.0.1:{port}", "-s", _served.Root]);
        await TransferAsync(server.Port, options, large);
        Assert.Equal(UsageCode, (await PerchClient.RunAsync(_work.Root, "", "ls", $"tftp://127.0.0.1:{server.Port}")).ExitCode);
    }

    [NeighbourTheory("atftpd", Capability.SysChroot)]
    [InlineData("", false)]
    [InlineData("--blksize 512 --windowsize 1", false)]
    [InlineData("--blksize 64 --windowsize 1", true)]
    [InlineData("--blksize 64 --windowsize 32", true)]
    public async Task Atftpd_PutStatAndGet_IsTheFile(string options, bool large)
    {
        await using var server = await StartAsync(
            "atftpd", port => ["--daemon", "--no-fork", "--bind-address", "127.0.0.1", "--port", $"{port}", "--user", "root", "--group", "root", "--logfile", Path.Combine(_work.Root, "log"), _served.Root]);
        await TransferAsync(server.Port, options, large);
    }

    [NeighbourFact("in.tftpd", Capability.SysChroot)]
    public async Task TftpdHpa_WithoutTheFile_IsToldByItsOwnWords()
    {
        await using var server = await StartAsync("in.tftpd", port => ["-L", "-u", "root", "-a", $"127.0.0.1:{port}", "-s", _served.Root]);
        var run = await PerchClient.RunAsync(_work.Root, "", "get", $"tftp://127.0.0.1:{server.Port}/missing");
        Assert.Equal((RefusedCode, "perch: missing: refused (not-found): File not found\n"), (run.ExitCode, run.Errors));
        Assert.Empty(Directory.GetFiles(_work.Root));
    }

    [Fact]
    public async Task Get_KilledMidway_LeavesNoFileOfThatName()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var url = $"tftp://127.0.0.1:{await host.Admin.GetPortAsync("own")}/a";
        var bytes = Write("source", 2_000_000);
        await PerchClient.SucceedAsync(_work.Root, "put", url, "source");
        var part = Path.Combine(_work.Root, "back.part");
        await using (var client = PerchClient.Start(_work.Root, "get", url, "back", "--limit-rate", "300k"))
        {
            await Poll.UntilAsync(() => File.Exists(part), () => "the download has begun");
            client.Signal(ServerProcess.Sigkill);
            await client.EndAsync();
        }

        Assert.False(File.Exists(Path.Combine(_work.Root, "back")));
        await PerchClient.SucceedAsync(_work.Root, "get", url, "back");
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(_work.Root, "back")));
        Assert.False(File.Exists(part));
    }

    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("own", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true, "AllowOverwrite": true, "SinglePort": false } }""")
        .With("single", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true, "AllowOverwrite": true, "SinglePort": true } }""");

    private async Task TransferAsync(int port, string options, bool large)
    {
        var more = options.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (var size in large ? [.. Sizes, PastTheLastNumber] : Sizes)
        {
            var url = $"tftp://127.0.0.1:{port}/f{size}";
            var bytes = Write("source", size);
            var hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
            AssertTold("stored", await PerchClient.SucceedAsync(_work.Root, ["put", url, "source", "--json", .. more]));
            Assert.Contains($"length    {size}\n", await PerchClient.SucceedAsync(_work.Root, "stat", url), StringComparison.Ordinal);
            AssertTold("fetched", await PerchClient.SucceedAsync(_work.Root, ["get", url, "back", "--json", .. more]));
            var back = await File.ReadAllBytesAsync(Path.Combine(_work.Root, "back"));
            Assert.True(bytes.AsSpan().SequenceEqual(back), $"{size} bytes came back as others");

            void AssertTold(string outcome, string json)
            {
                var told = JsonNode.Parse(json)!;
                Assert.Equal((outcome, size, hash), (told["outcome"]!.GetValue<string>(), told["length"]!.GetValue<int>(), told["sha256"]!.GetValue<string>()));
            }
        }
    }

    private byte[] Write(string name, int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        File.WriteAllBytes(Path.Combine(_work.Root, name), bytes);
        return bytes;
    }

    /// <summary>These say nothing when they listen: the system's table of sockets does.</summary>
    private static async Task<Server> StartAsync(string program, Func<int, string[]> arguments)
    {
        var port = FreePort.FindUdp();
        var server = new Server(Neighbour.Start(program, arguments(port)), port);
        var entry = string.Create(CultureInfo.InvariantCulture, $":{port:X4} ");
        await Poll.UntilAsync(() => File.ReadLines("/proc/net/udp").Any(line => line.Contains(entry, StringComparison.Ordinal)), () => $"{program} listens: {server.Neighbour.Output}");
        return server;
    }

    private sealed record Server(Neighbour Neighbour, int Port) : IAsyncDisposable
    {
        public ValueTask DisposeAsync() => Neighbour.DisposeAsync();
    }
}

using System.Globalization;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Tftp;

/// <summary>
/// Other people's TFTP clients, through the endpoint's port and through ports of the transfers' own. 40 MiB in blocks of 512 bytes
/// are more than 65,535 of them.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class TftpNeighbourTests
{
    private const int Large = 40 * 1024 * 1024;

    private static readonly int[] Sizes = [0, 1, 511, 512, 513, 65536];

    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("own", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true, "AllowOverwrite": true, "SinglePort": false } }""")
        .With("single", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true, "AllowOverwrite": true, "SinglePort": true } }""");

    [NeighbourTheory("curl")]
    [InlineData("own", "", false)]
    [InlineData("own", "--tftp-no-options", false)]
    [InlineData("own", "--tftp-blksize 1428", false)]
    [InlineData("single", "", false)]
    [InlineData("single", "--tftp-no-options", false)]
    [InlineData("single", "--tftp-blksize 65464", true)]
    public Task Curl_PutAndGet_IsTheFile(string endpoint, string options, bool large) => ClientAsync(endpoint, large,
        (port, file, name) => Neighbour.RunAsync("curl", ["-sS", .. Split(options), "-T", file, $"tftp://127.0.0.1:{port}/{name}"], ""),
        (port, file, name) => Neighbour.RunAsync("curl", ["-sS", .. Split(options), "-o", file, $"tftp://127.0.0.1:{port}/{name}"], ""));

    [NeighbourTheory("tftp")]
    [InlineData("own", true)]
    [InlineData("single", false)]
    public Task TftpHpa_PutAndGet_IsTheFile(string endpoint, bool large) => ClientAsync(endpoint, large,
        (port, file, name) => Neighbour.RunAsync("tftp", ["-m", "binary", "127.0.0.1", port, "-c", "put", file, name], ""),
        (port, file, name) => Neighbour.RunAsync("tftp", ["-m", "binary", "127.0.0.1", port, "-c", "get", name, file], ""));

    [NeighbourTheory("atftp")]
    [InlineData("own", "", false)]
    [InlineData("own", "--option|windowsize 64|--option|blksize 1428", true)]
    [InlineData("single", "", false)]
    [InlineData("single", "--option|windowsize 64|--option|blksize 1428", true)]
    public Task Atftp_PutAndGet_IsTheFile(string endpoint, string options, bool large) => ClientAsync(endpoint, large,
        (port, file, name) => Neighbour.RunAsync("atftp", [.. options.Split('|', StringSplitOptions.RemoveEmptyEntries), "-p", "-l", file, "-r", name, "127.0.0.1", port], ""),
        (port, file, name) => Neighbour.RunAsync("atftp", [.. options.Split('|', StringSplitOptions.RemoveEmptyEntries), "-g", "-l", file, "-r", name, "127.0.0.1", port], ""));

    [NeighbourTheory("busybox")]
    [InlineData("own", "", false)]
    [InlineData("own", "-b 1428", true)]
    [InlineData("single", "-b 1428", false)]
    public Task Busybox_PutAndGet_IsTheFile(string endpoint, string options, bool large) => ClientAsync(endpoint, large,
        (port, file, name) => Neighbour.RunAsync("busybox", ["tftp", .. Split(options), "-p", "-l", file, "-r", name, "127.0.0.1", port], ""),
        (port, file, name) => Neighbour.RunAsync("busybox", ["tftp", .. Split(options), "-g", "-l", file, "-r", name, "127.0.0.1", port], ""));

    [NeighbourFact("curl")]
    public async Task Curl_FileThatIsNotThere_EndsWithItsNumberForThat()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await using var curl = Neighbour.Start("curl", ["-sS", $"tftp://127.0.0.1:{await PortAsync(host, "own")}/missing"]);
        await Poll.UntilAsync(() => curl.Output.Contains("(68)", StringComparison.Ordinal), () => curl.Output);
    }

    private static async Task ClientAsync(string endpoint, bool large, Func<string, string, string, Task> put, Func<string, string, string, Task> get)
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var folder = new ServerFolder();
        var port = await PortAsync(host, endpoint);
        foreach (var size in large ? [.. Sizes, Large] : Sizes)
        {
            var (sent, received) = (Path.Combine(folder.Root, "sent"), Path.Combine(folder.Root, "received"));
            var bytes = new byte[size];
            new Random(size).NextBytes(bytes);
            await File.WriteAllBytesAsync(sent, bytes);
            await put(port, sent, $"f{size}");
            AssertSame(bytes, Path.Combine(host.Folder.Root, "data", "files", $"f{size}"), "put");
            File.Delete(received);
            await get(port, received, $"f{size}");
            AssertSame(bytes, received, "got");
        }

        var metrics = await host.Admin.GetMetricsAsync();
        var expected = large ? Sizes.Length + 1 : Sizes.Length;
        await Poll.UntilAsync(
            async () => (metrics = await host.Admin.GetMetricsAsync()).Sum("perch_tftp_transfers_total", $"endpoint=\"{endpoint}\"", "outcome=\"completed\"") == 2 * expected,
            () => metrics.Text);
        Assert.Equal(2 * expected, metrics.Sum("perch_tftp_transfers_total"));
    }

    private static void AssertSame(byte[] bytes, string file, string how) =>
        Assert.True(bytes.AsSpan().SequenceEqual(File.ReadAllBytes(file)), $"{bytes.Length} bytes were {how} as others");

    private static string[] Split(string options) => options.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static async Task<string> PortAsync(PerchHost host, string endpoint) => (await host.Admin.GetPortAsync(endpoint)).ToString(CultureInfo.InvariantCulture);
}

using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Bench;

public sealed class BenchTests
{
    private static readonly string[] Short = ["--duration", "200ms", "--warm-up", "50ms", "--json"];

    [Theory]
    [InlineData("1", "64")]
    [InlineData("16", "1000")]
    [InlineData("2", "300000")]
    public async Task Echo_OfAnEcho_CountsMessagesAndFindsNoFault(string depth, string size)
    {
        await using var peer = Peer.Echo();
        var (code, json) = await BenchAsync("bench", peer.Address, "-c", "4", "--depth", depth, "--size", size);
        Assert.True(code == 0, json.ToJsonString());
        Assert.True(json["messages"]!.GetValue<long>() > 10);
        Assert.Equal(0, json["errors"]!.GetValue<int>());
        Assert.True(json["latencyMicroseconds"]!["p50"]!.GetValue<double>() > 0);
    }

    [Fact]
    public async Task Echo_OfAServerThatAltersAByte_IsFound()
    {
        long seen = 0;
        await using var peer = Peer.Blocking(stream =>
        {
            var buffer = new byte[8192];
            while (stream.Read(buffer) is var read and > 0)
            {
                if (Interlocked.Add(ref seen, read) > 10_000) buffer[read / 2] ^= 1;
                stream.Write(buffer, 0, read);
            }
        });
        (await CliRun.RunAsync(["bench", peer.Address, "-c", "2", .. Short])).AssertFailed(ExitCode.Refused, "What came back is not what was sent.");
    }

    [Fact]
    public async Task Prefix_OfPerchsEcho_IsHintedAtAndTaken()
    {
        await using var peer = Peer.Blocking(stream =>
        {
            var buffer = new byte[8192];
            while (stream.Read(buffer) is var read and > 0) stream.Write([.. "GOT:"u8, .. buffer.AsSpan(0, read)]);
        });
        (await CliRun.RunAsync(["bench", peer.Address, "-c", "2", .. Short])).AssertFailed(ExitCode.Refused, "--prefix GOT:");

        foreach (var depth in (string[])["1", "50"])
        {
            var (code, json) = await BenchAsync("bench", peer.Address, "-c", "2", "--prefix", "GOT:", "--depth", depth);
            Assert.True(code == 0, json.ToJsonString());
            Assert.True(json["messages"]!.GetValue<int>() > 10, json.ToJsonString());
        }

        Assert.Equal(0, (await BenchAsync("bench", peer.Address, "-c", "2", "--prefix", "GOT:", "--mode", "connect")).Code);
    }

    [Fact]
    public async Task Server_ThatStopsAnswering_IsCountedUntilTheEnd()
    {
        var count = 0;
        await using var peer = Peer.Blocking(stream =>
        {
            var buffer = new byte[64];
            while (Interlocked.Increment(ref count) < 100)
            {
                stream.ReadExactly(buffer);
                stream.Write(buffer);
            }

            stream.CopyTo(Stream.Null);
        });
        var run = await CliRun.RunAsync(["bench", peer.Address, "-c", "1", "--rate", "1000", .. Short]);
        // The messages without an answer have waited at least until the end.
        Assert.True(Latency(run, "p99") > 150_000, run.Output);
    }

    [Fact]
    public async Task Line_WithAcknowledgements_CountsThemAndFindsRefusals()
    {
        var refuseFrom = int.MaxValue;
        var count = 0;
        await using var peer = Peer.Blocking(stream =>
        {
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            while (reader.ReadLine() is { } line)
            {
                Assert.Equal(99, line.Length);
                stream.Write(++count > refuseFrom ? "ERR full x\n"u8 : Encoding.ASCII.GetBytes($"OK {count}\n"));
            }
        });
        var (code, json) = await BenchAsync("bench", $"record://{peer.Address}", "--mode", "line", "--yes", "-c", "1", "--depth", "10", "--size", "100");
        Assert.Equal((0, 0), (code, json["errors"]!.GetValue<int>()));
        Assert.True(json["messages"]!.GetValue<long>() > 10);

        refuseFrom = count + 50;
        (await CliRun.RunAsync(["bench", $"record://{peer.Address}", "--mode", "line", "--yes", "-c", "1", "--depth", "10", "--size", "100", .. Short]))
            .AssertFailed(ExitCode.Refused, "ERR full x");
    }

    [Theory]
    [InlineData("record://")]
    [InlineData("")]
    public async Task Line_WithoutYesInAScript_SendsNothing(string scheme)
    {
        await using var peer = Peer.Echo();
        (await CliRun.RunAsync(["bench", $"{scheme}{peer.Address}", "--mode", "line", .. Short]))
            .AssertFailed(ExitCode.Usage, $"The load is stored in the database of {peer.Address}, and is not deleted afterwards. Give --yes if that is wanted.");
        Assert.Equal(0, peer.Connections);
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("no\n")]
    [InlineData("")]
    [InlineData("yes\n", true)]
    [InlineData("Y\n", true)]
    public async Task Line_OnATerminal_AsksBeforeItSends(string answer, bool sends = false)
    {
        await using var peer = Peer.Blocking(stream =>
        {
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            while (reader.ReadLine() is not null)
                stream.Write("OK 1\n"u8);
        });
        var error = new StringWriter();
        var console = new CliConsole(new MemoryStream(Encoding.UTF8.GetBytes(answer)), new MemoryStream(), error)
        {
            IsInputTerminal = true,
            IsErrorTerminal = true,
            IsDumb = true,
        };
        using var interruption = new Interruption();
        string[] args = ["bench", $"record://{peer.Address}", "--mode", "line", "-c", "1", .. Short];
        var code = await Task.Run(() => PerchCli.RunAsync(args, console, interruption)).WaitAsync(CliRun.Deadline);
        Assert.Equal(sends ? ExitCode.Done : ExitCode.Usage, code);
        Assert.Contains("Go on? [y/N] ", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(sends, peer.Connections > 0);
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("hold")]
    [InlineData("stream")]
    public async Task Mode_AgainstAnEcho_Measures(string mode)
    {
        await using var peer = Peer.Echo();
        var (code, json) = await BenchAsync(["bench", peer.Address, "--mode", mode, "-c", "8", "--ping", "1", "--duration", "600ms", .. mode == "stream" ? ["--both"] : Array.Empty<string>()]);
        Assert.True(code == 0, json.ToJsonString());
        Assert.True(json["bytes"]!.GetValue<long>() > 0, json.ToJsonString());
    }

    [Fact]
    public async Task Udp_WithALossyEcho_CountsAnswersAndLosses()
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var serving = Peer.OnThread(() =>
        {
            var buffer = new byte[2000];
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            try
            {
                for (var i = 1; ; i++)
                {
                    var received = server.ReceiveFrom(buffer, ref from);
                    if (i % 100 != 0) server.SendTo(buffer.AsSpan(0, received), from);
                }
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // The test is over.
            }
        });
        var (code, json) = await BenchAsync("bench", $"udp://127.0.0.1:{((IPEndPoint)server.LocalEndPoint!).Port}", "-c", "2", "--depth", "4", "--duration", "600ms");
        server.Dispose();
        await serving;
        Assert.Equal(0, code);
        Assert.True(json["messages"]!.GetValue<long>() > 100, json.ToJsonString());
        Assert.True(json["lost"]!.GetValue<long>() > 0, json.ToJsonString());
    }

    [Fact]
    public async Task Against_TheSameServer_TellsARatioNearOneAndDraws()
    {
        await using var peer = Peer.Echo();
        var svg = Path.GetTempFileName();
        var (code, json) = await BenchAsync("bench", peer.Address, "--against", peer.Address, "--rounds", "3", "-c", "2", "--svg", svg);
        Assert.Equal(0, code);
        Assert.Equal(3, json["rounds"]!.AsArray().Count);
        Assert.InRange(json["medianRatio"]!.GetValue<double>(), 0.1, 10);
        Assert.Equal(12, XDocument.Load(svg).Descendants().Count(element => element.Name.LocalName == "polyline"));
        File.Delete(svg);
    }

    [Fact]
    public async Task Text_OfAMeasurement_HasRateLatencyAndHistogram()
    {
        await using var peer = Peer.Echo();
        var run = await CliRun.RunAsync("bench", peer.Address, "-c", "2", "--duration", "200ms", "--warm-up", "50ms", "--pid", $"{Environment.ProcessId}");
        Assert.Equal(0, run.ExitCode);
        foreach (var part in (string[])["messages/s", "p99.9", "≤", "█", "client", "server", "errors      0"]) Assert.Contains(part, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_OfConnections_CountsConnections()
    {
        await using var peer = Peer.Echo();
        var run = await CliRun.RunAsync("bench", peer.Address, "--mode", "connect", "-c", "2", "--duration", "200ms", "--warm-up", "50ms");
        Assert.Equal(0, run.ExitCode);
        foreach (var part in (string[])["connections/s", "µs a connection"]) Assert.Contains(part, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_ThatIsNotThereOrCloses_IsTold()
    {
        string address;
        await using (var gone = Peer.Echo()) address = gone.Address;
        (await CliRun.RunAsync("bench", address)).AssertFailed(ExitCode.Unreachable, "nothing listens there");

        await using var peer = new Peer(static async (stream, token) =>
        {
            await stream.ReadExactlyAsync(new byte[1], token);
            Peer.Reset(stream);
        });
        (await CliRun.RunAsync(["bench", peer.Address, "-c", "3", .. Short])).AssertFailed(ExitCode.Refused, "No connection lasted until the measurement: ");
    }

    [Fact]
    public async Task Udp_WhereNothingListens_IsTold()
    {
        using var gone = TftpPeer.Bind();
        var port = ((IPEndPoint)gone.LocalEndPoint!).Port;
        gone.Close();
        (await CliRun.RunAsync(["bench", $"udp://127.0.0.1:{port}", "-c", "2", .. Short])).AssertFailed(ExitCode.Refused, "nothing listens there");
    }

    [Theory]
    [InlineData("tls://127.0.0.1:1", "--mode", "echo", "TLS")]
    [InlineData("127.0.0.1:1", "--mode", "udp", "belong together")]
    [InlineData("127.0.0.1:1", "--depth", "0", "--depth")]
    [InlineData("127.0.0.1:1", "--connections", "0", "--connections")]
    [InlineData("127.0.0.1:1", "--size", "2M", "--size")]
    [InlineData("127.0.0.1:1", "--rate", "-1", "--rate")]
    [InlineData("127.0.0.1:1", "--mode", "dance", "dance")]
    public async Task Option_ThatIsWrong_IsTold(string url, string option, string value, string told) =>
        (await CliRun.RunAsync("bench", url, option, value)).AssertFailed(ExitCode.Usage, told);

    private static double Latency(CliRun run, string name) => JsonNode.Parse(run.Output)!["latencyMicroseconds"]![name]!.GetValue<double>();

    private static async Task<(int Code, JsonNode Json)> BenchAsync(params string[] args)
    {
        var run = await CliRun.RunAsync([.. args, .. Short[(args.Contains("--duration", StringComparer.Ordinal) ? 2 : 0)..]]);
        Assert.True(run.Output.Length > 0, run.Error);
        return (run.ExitCode, JsonNode.Parse(run.Output)!);
    }
}

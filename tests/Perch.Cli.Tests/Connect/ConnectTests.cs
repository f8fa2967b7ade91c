using System.Net.Sockets;
using System.Text;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Connect;

public sealed class ConnectTests
{
    [Fact]
    public async Task Lines_InAPipe_AreSentAndAnsweredByteForByte()
    {
        await using var peer = Peer.Echo();
        var run = await CliRun.RunWithAsync("one\r\ntwo\n\u001b[31mlast", "connect", peer.Address);
        Assert.Equal("one\ntwo\n\u001b[31mlast\n", run.Output);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task Escape_InAPipe_ShowsNoByteThatSteersATerminal()
    {
        await using var peer = Peer.Saying("\u001b]0;owned\u0007\u001b[2Jhi\n\xff");
        var run = await CliRun.RunAsync("connect", peer.Address, "--escape");
        Assert.Equal("\\x1B]0;owned\\x07\\x1B[2Jhi\nÿ", run.Output);
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task Hello_Lines_AreSentOneAtATimeAndQuitAsTheWord()
    {
        var messages = new List<string>();
        await using var peer = new Peer(async (stream, token) =>
        {
            var buffer = new byte[5120];
            while (await stream.ReadAsync(buffer, token) is var read and > 0)
            {
                messages.Add(Encoding.UTF8.GetString(buffer, 0, read));
                if (messages[^1] == "--quit--") return;
                await stream.WriteAsync("-"u8.ToArray(), token);
            }
        });
        var run = await CliRun.RunWithAsync("Zack\nPython\nworld!\nquit\nunsent\n", "connect", $"hello://{peer.Address}");
        Assert.Equal(["Zack", "Python", "world!", "--quit--"], messages);
        Assert.Equal((0, "---"), (run.ExitCode, run.Output));
    }

    [Theory]
    [InlineData("length", "\0\0\0\u0003one\0\0\0\0\0\0\0\u0002hi", "one\n\nhi\n")]
    [InlineData("line", "one\r\ntwo\n", "one\ntwo\n")]
    [InlineData("syslog", "5 <13>a7 <13>b\nc<13>d\0<13>e", "<13>a\n<13>b\nc\n<13>d\n<13>e\n")]
    public async Task Framing_OfWhatComes_IsCutToALineEach(string framing, string sent, string shown)
    {
        await using var peer = Peer.Saying(sent);
        var run = await CliRun.RunAsync("connect", peer.Address, "--framing", framing);
        Assert.Equal((0, shown), (run.ExitCode, run.Output));
    }

    [Theory]
    [InlineData("length", "\0\0\0\u0002hi")]
    [InlineData("syslog", "hi")]
    [InlineData("chunk", "hi")]
    public async Task Framing_OfALine_IsSentSo(string framing, string sent)
    {
        await using var peer = Peer.Echo();
        var run = await CliRun.RunWithAsync("hi\n", "connect", peer.Address, "--framing", framing, "--hex");
        var expected = string.Join(' ', Encoding.UTF8.GetBytes(framing == "chunk" ? "hi" : sent[^2..]).Select(octet => $"{octet:x2}"));
        Assert.Contains($"  {expected} ", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_OfWhatComes_IsAnObjectALine()
    {
        await using var peer = Peer.Saying([(byte)'h', (byte)'i', (byte)'\n', 0xFF, (byte)'\n']);
        var run = await CliRun.RunAsync("connect", peer.Address, "--framing", "line", "--json");
        Assert.Equal("{\"length\":2,\"text\":\"hi\"}\n{\"length\":1,\"base64\":\"/w==\"}\n", run.Output);
    }

    [Fact]
    public async Task Datagrams_OfLines_AreShownALineEach()
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        var serving = Task.Run(async () =>
        {
            var buffer = new byte[100];
            for (var i = 0; i < 2; i++)
            {
                var received = await server.ReceiveFromAsync(buffer, new System.Net.IPEndPoint(System.Net.IPAddress.Any, 0));
                await server.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint);
            }
        });
        var run = await CliRun.RunWithAsync("one\ntwo\n", "connect", $"udp://127.0.0.1:{((System.Net.IPEndPoint)server.LocalEndPoint!).Port}", "--timeout", "500ms");
        await serving;
        Assert.Equal((0, "one\ntwo\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task UnixSocket_Lines_AreAnswered()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("perch-").FullName, "x.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        var serving = Task.Run(async () =>
        {
            using var socket = await listener.AcceptAsync();
            await using var stream = new NetworkStream(socket);
            await stream.CopyToAsync(stream);
        });
        var run = await CliRun.RunWithAsync("hi\n", "connect", $"unix:{path}");
        await serving;
        Assert.Equal((0, "hi\n"), (run.ExitCode, run.Output));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }
}

using System.Net;
using System.Net.Sockets;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Send;

public sealed class SendTests
{
    [Fact]
    public async Task Answer_WithoutALineEnd_HasOneOnATerminalAlone()
    {
        await using var peer = Peer.Saying("abc");
        Assert.Equal("abc", (await CliRun.RunAsync("send", peer.Address, "x")).Output);
        Assert.Equal("abc\n", (await CliRun.RunOnTerminalAsync("send", peer.Address, "x")).Output);

        var late = await CliRun.RunOnTerminalAsync("send", peer.Address, "x", "--replies", "2");
        late.AssertFailed(ExitCode.Cut, "");
        Assert.Equal("abc\n", late.Output);
    }

    [Fact]
    public async Task Texts_AreSentAsTheyAreAndTheAnswerPrinted()
    {
        await using var peer = Peer.Echo();
        Assert.Equal((0, "データ送信"), await SendAsync(peer.Address, "データ", "送信"));
        Assert.Equal((0, "one\ntwo\n"), await SendAsync($"record://{peer.Address}", "one", "two"));
    }

    [Fact]
    public async Task Replies_AreWaitedForWhileTheConnectionIsOpen()
    {
        await using var peer = new Peer(async (stream, token) =>
        {
            await stream.ReadExactlyAsync(new byte[8], token);
            await stream.WriteAsync("OK 1\nOK 2\nOK 3\n"u8.ToArray(), token);
            await Task.Delay(Timeout.Infinite, token);
        });
        Assert.Equal((0, "OK 1\nOK 2\nOK 3\n"), await SendAsync(peer.Address, "one", "two", "--framing", "line", "--replies", "2"));
    }

    [Fact]
    public async Task File_AndInput_AreSentWhole()
    {
        await using var peer = Peer.Echo();
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, new string('f', 300_000));
        var run = await CliRun.RunWithAsync("from input", "send", peer.Address, "-", "@" + file);
        File.Delete(file);
        Assert.Equal((0, "from input" + new string('f', 300_000)), (run.ExitCode, run.Output));
        (await CliRun.RunAsync("send", peer.Address, "@/nowhere/x")).AssertFailed(ExitCode.LocalFile, "/nowhere/x");
    }

    [Fact]
    public async Task Lines_OfInput_AreMessages()
    {
        await using var peer = Peer.Echo();
        var run = await CliRun.RunWithAsync("one\ntwo\n", "send", "--lines", "--framing", "length", peer.Address);
        Assert.Equal((0, "one\ntwo\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task Datagram_WithoutAReply_IsSentAgainUntilOneComes()
    {
        using var server = Udp(out var port);
        var received = 0;
        var serving = Task.Run(async () =>
        {
            var buffer = new byte[100];
            while (true)
            {
                var datagram = await server.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                if (++received < 3) continue;
                await server.SendToAsync("GOT:hi"u8.ToArray(), datagram.RemoteEndPoint);
                return;
            }
        });
        Assert.Equal((0, "GOT:hi\n"), await SendAsync($"udp://127.0.0.1:{port}", "hi", "--timeout", "50ms", "--retry", "10"));
        await serving;
        Assert.Equal(3, received);
    }

    [Fact]
    public async Task Datagram_WithoutAnyReply_TimesOutAfterTheRetries()
    {
        using var server = Udp(out var port);
        (await CliRun.RunAsync("send", $"udp://127.0.0.1:{port}", "hi", "--timeout", "20ms", "--retry", "2")).AssertFailed(ExitCode.TimedOut, "sent 3 times");
        Assert.Equal(3 * "hi".Length, await CountAsync(server));
    }

    [Fact]
    public async Task NoReply_IsDoneWhenItIsSent()
    {
        using var server = Udp(out var port);
        Assert.Equal((0, ""), await SendAsync($"udp://127.0.0.1:{port}", "one", "two", "--no-reply"));
        Assert.Equal(6, await CountAsync(server));
        (await CliRun.RunAsync("send", $"udp://127.0.0.1:{port}", new string('x', 70_000))).AssertFailed(ExitCode.Usage, "65507");
    }

    private static async Task<(int ExitCode, string Output)> SendAsync(params string[] args)
    {
        var run = await CliRun.RunAsync(["send", .. args]);
        Assert.Equal("", run.Error);
        return (run.ExitCode, run.Output);
    }

    private static Socket Udp(out int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    /// <summary>Bytes of all datagrams that are there: on loopback they are when the sender is done.</summary>
    private static async Task<int> CountAsync(Socket socket)
    {
        var count = 0;
        while (socket.Available > 0) count += await socket.ReceiveAsync(new byte[100]);
        return count;
    }
}

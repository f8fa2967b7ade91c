using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>The four tutorials' dialogues, to the byte.</summary>
public sealed class TutorialDialogueTests
{
    private static readonly ServerSettings Settings = new ServerSettings()
        .With("echo", """{ "Port": 0, "Protocol": "echo", "Options": { "Prefix": "GOT:", "MaxMessageBytes": 1000 } }""")
        .With("hello", """{ "Port": 0, "Protocol": "hello" }""")
        .With("reply", """{ "Port": 0, "Protocol": "reply" }""")
        .With("bytes", """{ "Port": 0, "Protocol": "bytes" }""");

    [Fact]
    public async Task Echo_MessagesOneAfterTheOther_EachComesBackWithGotBeforeIt()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("echo");
        Assert.Equal("GOT:Hello", await client.AskAsync("Hello", 9));
        Assert.Equal("GOT:こんにちは", await client.AskAsync("こんにちは", 19));
        client.EndInput();
        Assert.Empty(await client.ReceiveToEndAsync());
    }

    [Theory]
    [InlineData("echo")]
    [InlineData("echo-conversation")]
    [InlineData("echo-blocking")]
    [InlineData("echo-raw")]
    public async Task Echo_EveryShape_GivesTheSameBytes(string protocol)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", $$"""{ "Port": 0, "Protocol": "{{protocol}}" }"""));
        using var client = await host.ConnectAsync("echo");
        Assert.Equal("GOT:Hello\n", await client.AskAsync("Hello\n", 10));
        // 2,500 bytes are three messages of at most 1,000; a receive may cut them once more.
        await client.SendAsync(new byte[2500]);
        client.EndInput();
        var all = await client.ReceiveToEndAsync();
        Assert.Equal(2500, all.Count(b => b == 0));
        Assert.Equal("GOT:", Encoding.UTF8.GetString(all, 0, 4));
        Assert.True(all.Length >= 2500 + (3 * 4) && (all.Length - 2500) % 4 == 0, $"{all.Length} bytes");
    }

    [Fact]
    public async Task Hello_ThreeClientsAtOnce_EachHasASessionOfItsOwn()
    {
        using var folder = new ServerFolder(Settings);
        await using var server = await ServerProcess.StartAsync(folder);
        using var first = await server.ConnectAsync("hello");
        using var second = await server.ConnectAsync("hello");
        using var third = await server.ConnectAsync("hello");
        Assert.Equal("-", await first.AskAsync("Zack", 1));
        Assert.Equal("-", await third.AskAsync("Anothny", 1));
        Assert.Equal("-", await second.AskAsync("Python", 1));
        Assert.Equal("-", await second.AskAsync("world!  \r\n", 1));
        await second.SendAsync("please --Quit-- now");
        Assert.Empty(await second.ReceiveToEndAsync());
        Assert.Equal("-", await first.AskAsync("still here", 1));
        await first.SendAsync("--quit--");
        Assert.Empty(await first.ReceiveToEndAsync());
        third.EndInput();
        Assert.Empty(await third.ReceiveToEndAsync());

        server.Signal(ServerProcess.Sigterm);
        var output = (await server.WaitForExitAsync()).Output;
        foreach (var name in (string[])["ZACK", "ANOTHNY", "PYTHON", "WORLD!", "STILL HERE"])
            Assert.Contains($"Hello {name}, connection ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reply_OneMessage_AnswersAndCloses()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("reply");
        await client.SendAsync("こんにちは、サーバー");
        Assert.Equal("データ送信", await client.ReceiveTextToEndAsync());
    }

    [Fact]
    public async Task Bytes_OnConnect_SendsOneToFourAndTakesWhatComes()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("bytes");
        Assert.Equal([1, 2, 3, 4], await client.ReceiveAsync(4));
        await client.SendAsync((byte[])[4, 3, 2, 1]);
        client.EndInput();
        Assert.Empty(await client.ReceiveToEndAsync());
        var ended = await EndedAsync(host, client.LocalAddress);
        Assert.Equal((4, 4, "PeerClosed"), (ended.BytesReceived, ended.BytesSent, ended.Outcome));
    }

    [Fact]
    public async Task Simple_DaytimeDiscardChargen_SpeakTheirRfcs()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings()
            .With("daytime", """{ "Port": 0, "Protocol": "daytime" }""")
            .With("discard", """{ "Port": 0, "Protocol": "discard" }""")
            .With("chargen", """{ "Port": 0, "Protocol": "chargen" }"""));
        using var daytime = await host.ConnectAsync("daytime");
        Assert.Matches(@"^\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d UTC\r\n$", await daytime.ReceiveTextToEndAsync());

        using var discard = await host.ConnectAsync("discard");
        await discard.SendAsync(new byte[100_000]);
        discard.EndInput();
        Assert.Empty(await discard.ReceiveToEndAsync());
        Assert.Equal(100_000, (await EndedAsync(host, discard.LocalAddress)).BytesReceived);

        using var chargen = await host.ConnectAsync("chargen");
        var lines = (await chargen.ReceiveTextAsync(74 * 100)).Split("\r\n");
        Assert.Equal(@" !""#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg", lines[0]);
        Assert.Equal(@"!""#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefgh", lines[1]);
        Assert.Equal(lines[0], lines[95]);
    }

    [NeighbourFact("python3")]
    public async Task Hello_TheTutorialsPythonClient_IsServed()
    {
        const string Script = """
            import socket, sys
            def talk(port, messages, expect_greeting=0):
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                s.settimeout(20)
                s.connect(('localhost', port))
                if expect_greeting: print(s.recv(1024))
                for m in messages:
                    s.sendall(m.encode('utf-8'))
                    print(s.recv(5120).decode('utf-8'))
                s.close()
            hello, reply, bytes_, echo = map(int, sys.argv[1:])
            talk(hello, ['Zack', 'Python', '--quit--'])
            talk(reply, ['hello'])
            talk(bytes_, [], 1)
            talk(echo, ['Hello', 'World'])
            """;
        await using var host = await PerchHost.StartAsync(Settings);
        string[] ports = [.. await Task.WhenAll(((string[])["hello", "reply", "bytes", "echo"]).Select(async e => (await host.Admin.GetPortAsync(e)).ToString()))];
        // The last empty line is what recv gives when the session ended.
        Assert.Equal("-\n-\n\nデータ送信\nb'\\x01\\x02\\x03\\x04'\nGOT:Hello\nGOT:World\n",
            await Neighbour.RunAsync("python3", ["-X", "utf8", "-c", Script, .. ports], ""));
    }

    [NeighbourFact("nc")]
    public async Task Echo_NetcatWithAPipedInput_ShowsGot()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var port = (await host.Admin.GetPortAsync("echo")).ToString();
        Assert.Equal("GOT:Hello\nWorld\n", await Neighbour.RunAsync("nc", ["-q1", "127.0.0.1", port], "Hello\nWorld\n"));
        Assert.Equal("GOT:Hello\n", await Neighbour.RunAsync("nc", ["-N", "127.0.0.1", port], "Hello\n"));
        var reply = (await host.Admin.GetPortAsync("reply")).ToString();
        Assert.Equal("データ送信", await Neighbour.RunAsync("nc", ["127.0.0.1", reply], "x"));
    }

    [NeighbourTheory("telnet")]
    [InlineData("echo")]
    [InlineData("echo-conversation")]
    [InlineData("echo-blocking")]
    public async Task Echo_Telnet_ShowsGot(string protocol)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", $$"""{ "Port": 0, "Protocol": "{{protocol}}" }"""));
        var port = await host.Admin.GetPortAsync("echo");
        await using var telnet = Neighbour.Start("telnet", ["127.0.0.1", port.ToString()]);
        // Telnet leaves when its input ends, whatever it was still to show: so the input stays open.
        await telnet.Input.WriteAsync("Hello\n");
        await telnet.Input.FlushAsync();
        await Poll.UntilAsync(() => telnet.Output.Contains("GOT:Hello\r\n", StringComparison.Ordinal) || telnet.Output.Contains("GOT:Hello\n", StringComparison.Ordinal),
            () => telnet.Output);
    }

    private static async Task<EndedRow> EndedAsync(PerchHost host, string peer)
    {
        EndedRow? ended = null;
        await Poll.UntilAsync(async () => (ended = (await host.Admin.GetRecentAsync()).FirstOrDefault(e => e.Peer == peer)) is not null, () => $"{peer} ended");
        return ended!;
    }
}

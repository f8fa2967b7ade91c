using System.Buffers;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Messages;
using Perch.Tests.Shared;

namespace Perch.Tests.Datagrams;

/// <summary>What an endpoint does with datagrams, over real sockets.</summary>
public sealed class DatagramServerTests
{
    private const string Prefixed = """ "Address": "127.0.0.1", "Options": { "Prefix": "GOT:" } """;

    [Fact]
    public async Task Message_OfAMessageHandler_IsAnsweredWithOneDatagram()
    {
        await using var host = await DatagramHost.StartAsync(Prefix, Prefixed);
        using var peer = host.Connect();

        Assert.Equal("GOT:Hello", await peer.AskAsync("Hello"));
        Assert.Equal("GOT:two\nlines\n", await peer.AskAsync("two\nlines\n"));
        Assert.Equal($"udp 127.0.0.1:{host.Port()}", host.Status().Address);
        await Eventually(() => host.Traffic() is { Received: 2, ReceivedBytes: 15, Sent: 2, SentBytes: 23, Messages: 2 });
    }

    [Fact]
    public async Task Message_OfSyslog_LosesOneNulAndOneLineEnd()
    {
        await using var host = await DatagramHost.StartAsync(Prefix, """ "Address": "127.0.0.1", "Options": { "Framing": "Syslog" } """);
        using var peer = host.Connect();

        Assert.Equal("<13>a", await peer.AskAsync("<13>a\n\0"));
    }

    [Fact]
    public async Task Message_Empty_IsAMessage()
    {
        await using var host = await DatagramHost.StartAsync(Prefix);
        using var peer = host.Connect();
        peer.Send([]);

        Assert.Empty(await peer.ReceiveAsync());
    }

    [Fact]
    public async Task Message_OfMostBytes_ComesBackWhole()
    {
        await using var host = await DatagramHost.StartAsync(Prefix);
        using var peer = host.Connect();
        var sent = new byte[65_507];
        new Random(1).NextBytes(sent);
        sent[0] = 1;

        peer.Send(sent);

        Assert.Equal(sent, await peer.ReceiveAsync());
    }

    [Fact]
    public async Task Message_LongerThanTheProtocolTakes_IsDroppedWhole()
    {
        await using var host = await DatagramHost.StartAsync(Prefix, """ "Address": "127.0.0.1", "Options": { "MaxMessageBytes": 5 } """);
        using var peer = host.Connect();

        peer.Send("123456");

        Assert.Equal("12345", await peer.AskAsync("12345"));
        Assert.Equal(1, host.Dropped(DropReason.Truncated));
        Assert.False(peer.HasReply);
    }

    [Fact]
    public async Task Message_EachHasAContextOfItsOwn()
    {
        await using var host = await DatagramHost.StartAsync(perch => Delegate(perch, (context, _) =>
        {
            context.Reply.Write(Encoding.UTF8.GetBytes($"{context.Session ?? "none"} {context.Endpoint} {context.Remote} {context.ConnectionId}"));
            context.Session = "mine";
            context.Close();
            return ValueTask.CompletedTask;
        }));
        using var peer = host.Connect();

        Assert.Equal($"none u {peer.Local} u-0", await peer.AskAsync("a"));
        Assert.Equal($"none u {peer.Local} u-1", await peer.AskAsync("b"));
    }

    [Fact]
    public async Task Opening_OfAServerThatSpeaksFirst_IsTheReply()
    {
        await using var host = await DatagramHost.StartAsync(perch => perch.AddProtocol<Greeter, TestOptions>("test"));
        using var peer = host.Connect();

        Assert.Equal("hello, a", await peer.AskAsync("a"));
        Assert.Equal("closed", await peer.AskAsync("b"));
    }

    [Fact]
    public async Task Handler_ThatWaits_HoldsNobodyUp()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await DatagramHost.StartAsync(perch => Delegate(perch, async (context, message) =>
        {
            var text = Encoding.UTF8.GetString(message);
            if (text == "slow") await gate.Task;
            context.Reply.Write(Encoding.UTF8.GetBytes(text == Encoding.UTF8.GetString(message) ? text : "overwritten"));
        }));
        using var slow = host.Connect();
        using var quick = host.Connect();
        slow.Send("slow");

        for (var i = 0; i < 200; i++) Assert.Equal($"{i}", await quick.AskAsync($"{i}"));
        Assert.Equal(1, host.Status().Connections);
        gate.SetResult();

        Assert.Equal("slow", await slow.ReceiveTextAsync());
        await Eventually(() => host.Status().Connections == 0);
    }

    [Fact]
    public async Task Handler_ThatWaitsTooOften_HasItsDatagramsDropped()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await DatagramHost.StartAsync(
            perch => Delegate(perch, async (context, _) =>
            {
                await gate.Task;
                context.Reply.Write("done"u8);
            }),
            """ "Address": "127.0.0.1", "Guards": { "MaxDatagramsInHand": 3 } """);
        using var peer = host.Connect();

        for (var i = 0; i < 10; i++) peer.Send("x");
        await Eventually(() => host.Dropped(DropReason.Queue) == 7);
        gate.SetResult();

        for (var i = 0; i < 3; i++) Assert.Equal("done", await peer.ReceiveTextAsync());
        Assert.Equal((10, 3), (host.Traffic().Received, host.Traffic().Messages));
        Assert.False(peer.HasReply);
    }

    [Fact]
    public async Task Handler_ThatThrows_LosesOneDatagram()
    {
        await using var host = await DatagramHost.StartAsync(Prefix);
        using var peer = host.Connect();

        peer.Send("?");

        Assert.Equal("x", await peer.AskAsync("x"));
        Assert.Equal(1, host.Dropped(DropReason.Fault));
    }

    [Fact]
    public async Task Error_OfAMessage_IsTold_AndAnErrorIsNot()
    {
        await using var host = await DatagramHost.StartAsync(Prefix);
        using var peer = host.Connect();

        Assert.Equal("ERR malformed", await peer.AskAsync("!"));
        peer.Send("ERR malformed");

        Assert.Equal("x", await peer.AskAsync("x"));
        Assert.Equal((2, 1), (host.Dropped(DropReason.Malformed), host.Dropped(DropReason.Error)));
    }

    [Theory]
    [InlineData(84 - 28, true)]
    [InlineData(84 - 28 + 1, false)]
    public async Task Reply_ToAnEmptyDatagram_HasABudget(int bytes, bool isSent)
    {
        await using var host = await DatagramHost.StartAsync(perch => Delegate(perch, (context, message) =>
        {
            if (message.IsEmpty) context.Reply.Write(new byte[bytes]);
            else context.Reply.Write("y"u8);
            return ValueTask.CompletedTask;
        }));
        using var peer = host.Connect();

        peer.Send([]);

        if (isSent) Assert.Equal(bytes, (await peer.ReceiveAsync()).Length);
        Assert.Equal("y", await peer.AskAsync("x"));
        Assert.Equal(isSent ? 0 : 1, host.Dropped(DropReason.Budget));
    }

    [Fact]
    public async Task Replies_ToOneSource_HaveARate()
    {
        await using var host = await DatagramHost.StartAsync(Prefix, """ "Address": "127.0.0.1", "Guards": { "RepliesPerSecond": 5 } """);
        using var peer = host.Connect(from: "127.0.0.9");
        using var other = host.Connect(from: "127.0.0.10");
        using var more = host.Connect(from: "127.0.0.9");

        for (var i = 0; i < 10; i++) peer.Send("x");
        for (var i = 0; i < 10; i++) more.Send("x");
        await Eventually(() => host.Traffic().Received == 20);

        // Another's rate is its own (unless it falls into the same of 16,384 slots).
        Assert.Equal("y", await other.AskAsync("y"));
        Assert.InRange(host.Dropped(DropReason.Rate), 10, 15);
    }

    [Theory]
    [InlineData(1900)]
    [InlineData(11211)]
    public async Task Datagram_FromTheportOfAReflector_IsNotAnswered(int port)
    {
        await using var host = await DatagramHost.StartAsync(Prefix);
        using var reflector = host.Connect(from: "127.34.56.78", fromPort: port);
        using var peer = host.Connect();

        reflector.Send("x");

        Assert.Equal("y", await peer.AskAsync("y"));
        Assert.False(reflector.HasReply);
        Assert.Equal(1, host.Dropped(DropReason.SourcePort));
        Assert.Equal(1, host.Traffic().Messages);
    }

    [Fact]
    public async Task Datagram_FromAnotherEndpointsPort_IsNotAnswered()
    {
        await using var host = await DatagramHost.StartAllAsync(Prefix, """
            "u": { "Port": 0, "Address": "127.0.0.1", "Transport": "Udp", "Protocol": "test" },
            "v": { "Port": 0, "Address": "127.0.0.2", "Transport": "Udp", "Protocol": "test" }
            """);
        // The other endpoint's port, at another of the machine's addresses: what a forged source looks like.
        using var forger = host.Connect(from: "127.0.0.3", fromPort: host.Port("v"));
        using var peer = host.Connect();

        forger.Send("x");

        Assert.Equal("y", await peer.AskAsync("y"));
        Assert.Equal(1, host.Dropped(DropReason.SourcePort));
        Assert.Equal(0, host.Traffic("v").Received);
    }

    [Fact]
    public async Task Endpoint_ThatNeverAnswers_HearsEveryPort()
    {
        await using var host = await DatagramHost.StartAsync(perch => perch.AddProtocol<Silent>("test"));
        using var reflector = host.Connect(from: "127.34.56.79", fromPort: 1900);

        reflector.Send("x");

        await Eventually(() => host.Traffic().Messages == 1);
        await host.StopAsync();
        Assert.False(reflector.HasReply);
        Assert.Equal((0, 0), (host.Traffic().Sent, host.Dropped(DropReason.SourcePort)));
    }

    [Theory]
    [InlineData("0.0.0.0", "127.0.0.1")]
    [InlineData("0.0.0.0", "127.0.0.2")]
    [InlineData("::", "127.0.0.2")]
    [InlineData("::", "::1")]
    [InlineData("::1", "::1")]
    public async Task Reply_OnAMachineWithSeveralAddresses_LeavesFromTheOneThatWasAsked(string bound, string asked)
    {
        await using var host = await DatagramHost.StartAsync(perch => perch.AddProtocol<Asked>("test"), $""" "Address": "{bound}" """);
        using var peer = host.Connect(asked);

        Assert.Equal(bound == asked ? "" : asked, await peer.AskAsync("x"));
        Assert.Equal(bound == asked ? "" : asked, await peer.AskAsync("later"));
    }

    [Fact]
    public async Task Group_ThatTheEndpointHasJoined_ReachesIt()
    {
        await using var host = await DatagramHost.StartAsync(Prefix, """ "Address": "0.0.0.0", "MulticastGroups": [ "239.255.77.1@lo" ], "Options": { "Prefix": "GOT:" } """);
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Udp);
        socket.SetSocketOption(System.Net.Sockets.SocketOptionLevel.IP, System.Net.Sockets.SocketOptionName.MulticastInterface, IPAddress.Loopback.GetAddressBytes());
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        await socket.SendToAsync("x"u8.ToArray(), new IPEndPoint(IPAddress.Parse("239.255.77.1"), host.Port()));

        var buffer = new byte[100];
        var received = await socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0)).Soon();
        Assert.Equal("GOT:x", Encoding.UTF8.GetString(buffer, 0, received.ReceivedBytes));
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, host.Port()), received.RemoteEndPoint);
    }

    [Fact]
    public async Task Drain_WithADatagramInHand_SendsItsReplyFirst()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await DatagramHost.StartAsync(perch => Delegate(perch, async (context, _) =>
        {
            await gate.Task;
            context.Reply.Write(context.Draining.IsCancellationRequested ? "drained"u8 : "not"u8);
        }));
        using var peer = host.Connect();
        peer.Send("x");
        await Eventually(() => host.Status().Connections == 1);

        var stopping = host.StopAsync();
        await Eventually(() => host.Status().State == EndpointState.Draining);
        gate.SetResult();

        await stopping.Soon();
        Assert.Equal("drained", await peer.ReceiveTextAsync());
    }

    [Fact]
    public async Task Drain_WithWhatHasArrived_AnswersIt()
    {
        var (entered, gate) = (new ManualResetEventSlim(), new ManualResetEventSlim());
        await using var host = await DatagramHost.StartAsync(perch => Delegate(perch, (context, message) =>
        {
            if (message.FirstSpan[0] == 'b')
            {
                entered.Set();
                gate.Wait();
            }

            context.Reply.Write(message.FirstSpan);
            return ValueTask.CompletedTask;
        }));
        using var peer = host.Connect();
        peer.Send("block");
        Assert.True(entered.Wait(TimeSpan.FromSeconds(10)));
        for (var i = 0; i < 100; i++) peer.Send($"{i}");

        var stopping = host.StopAsync();
        gate.Set();

        await stopping.Soon();
        Assert.Equal("block", await peer.ReceiveTextAsync());
        for (var i = 0; i < 100; i++) Assert.Equal($"{i}", await peer.ReceiveTextAsync());
    }

    [Fact]
    public async Task ReceiveBuffer_ThatIsFull_IsCounted()
    {
        const int Sent = 5000;
        var (entered, gate) = (new ManualResetEventSlim(), new ManualResetEventSlim());
        await using var host = await DatagramHost.StartAsync(
            perch => Delegate(perch, (_, message) =>
            {
                if (message.Length != 1) return ValueTask.CompletedTask;
                entered.Set();
                gate.Wait();
                return ValueTask.CompletedTask;
            }),
            """ "Address": "127.0.0.1", "ReceiveBufferBytes": 8192 """);
        using var peer = host.Connect();
        peer.Send("x");
        Assert.True(entered.Wait(TimeSpan.FromSeconds(10)));

        for (var i = 0; i < Sent; i++) peer.Send("12345678");
        var dropped = host.Dropped(DropReason.Kernel);
        gate.Set();

        Assert.InRange(dropped, 1, Sent);
        await Eventually(() => host.Traffic().Received == Sent + 1 - dropped);
        await host.StopAsync();
        Assert.Equal(dropped, host.Dropped(DropReason.Kernel));
    }

    internal static Task Eventually(Func<bool> condition) => Eventually(() => Task.FromResult(condition()));

    internal static async Task Eventually(Func<Task<bool>> condition)
    {
        var limit = TimeProvider.System.GetTimestamp() + (10 * TimeProvider.System.TimestampFrequency);
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetTimestamp() < limit, "It has not come about within 10 s.");
            await Task.Delay(5);
        }
    }

    internal static void Prefix(PerchBuilder perch) => perch.AddProtocol<PrefixHandler, TestOptions>("test");

    private static void Delegate(PerchBuilder perch, Func<MessageContext, ReadOnlySequence<byte>, ValueTask> handle)
    {
        perch.Services.AddSingleton(new OnMessage(handle));
        perch.AddProtocol<MessageDelegate, TestOptions>("test");
    }

    private sealed class Greeter(TestOptions options) : MessageHandler<TestOptions>(options)
    {
        private int _count;

        protected override async ValueTask OnOpenAsync(MessageContext context)
        {
            await Task.Yield();
            if (_count++ == 0)
            {
                context.Reply.Write("hello, "u8);
                return;
            }

            context.Reply.Write("closed"u8);
            context.Close();
        }

        protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
        {
            context.Reply.Write(message.FirstSpan);
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Silent : DatagramHandler
    {
        public override bool Answers => false;

        protected internal override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload)
        {
            context.Reply.Write("never"u8);
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Asked : DatagramHandler
    {
        protected internal override async ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload)
        {
            if (payload.Length > 1) await Task.Yield();
            context.Reply.Write(Encoding.UTF8.GetBytes($"{context.Return.Local}"));
        }
    }
}

using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Messages;

namespace Perch.Tests.Datagrams;

public sealed class DatagramReloadTests
{
    [Fact]
    public async Task Change_OfOptionsUnderTraffic_SwapsTheHandlerAndLosesNothing()
    {
        await using var host = await DatagramHost.StartAsync(DatagramServerTests.Prefix, """ "Address": "127.0.0.1", "Guards": { "RepliesPerSecond": 0 }, "Options": { "Prefix": "0:" } """);
        var port = host.Port();
        using var peer = host.Connect();
        var seen = new HashSet<string>();

        for (var version = 0; version < 20; version++)
        {
            host.Change(("Perch:Endpoints:u:Options:Prefix", $"{version}:"));
            // Every question of every version is answered, by the old handler or the new.
            for (string answer; (answer = await peer.AskAsync("x")) != $"{version}:x";) Assert.Equal($"{version - 1}:x", answer);
            seen.Add($"{version}");
        }

        Assert.Equal(20, seen.Count);
        Assert.Equal(port, host.Port());
        Assert.Equal(host.Traffic().Received, host.Traffic().Messages);
        Assert.Equal(0, Enum.GetValues<DropReason>().Sum(reason => host.Dropped(reason)));
    }

    [Fact]
    public async Task Change_OfTheProtocol_KeepsTheSocketAndCountsForTheNewOne()
    {
        await using var host = await DatagramHost.StartAsync(perch =>
        {
            DatagramServerTests.Prefix(perch);
            perch.AddProtocol<Shout, TestOptions>("shout");
        });
        var port = host.Port();
        using var peer = host.Connect();
        Assert.Equal("x", await peer.AskAsync("x"));

        host.Change(("Perch:Endpoints:u:Protocol", "shout"));

        await DatagramServerTests.Eventually(async () => await peer.AskAsync("x") == "X");
        Assert.Equal(port, host.Port());
        await DatagramServerTests.Eventually(() => host.Traffic(protocol: "shout").Sent > 0);
        Assert.Equal(host.Traffic().Received, host.Traffic().Sent);
    }

    [Fact]
    public async Task Change_OfTheSocketOnTheSamePort_BindsAnew()
    {
        var port = FreePort();
        await using var host = await DatagramHost.StartAllAsync(DatagramServerTests.Prefix,
            $$""" "u": { "Port": {{port}}, "Address": "127.0.0.1", "Transport": "Udp", "Protocol": "test", "Options": { "Prefix": "a:" } } """);
        using var peer = host.Connect();
        Assert.Equal("a:x", await peer.AskAsync("x"));

        host.Change(("Perch:Endpoints:u:ReceiveBufferBytes", "65536"), ("Perch:Endpoints:u:Options:Prefix", "b:"));

        // What comes between the two sockets is lost, as UDP may.
        await DatagramServerTests.Eventually(async () => await peer.TryAskAsync("x") == "b:x");
        // A socket answers a moment before its endpoint reports that it listens, and before the old version has ended.
        await DatagramServerTests.Eventually(() => host.Versions() is [{ State: EndpointState.Listening }]);
    }

    [Fact]
    public async Task Start_PortInUse_FailsAndIsTriedAgain()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        await using var host = await DatagramHost.StartAllAsync(DatagramServerTests.Prefix, $$"""
            "u": { "Port": {{port}}, "Address": "127.0.0.1", "Transport": "Udp", "Protocol": "test" },
            "other": { "Port": 0, "Address": "127.0.0.1", "Transport": "Udp", "Protocol": "test" }
            """);

        Assert.Equal((EndpointState.Failed, "address in use: stop the process that has it, change the endpoint's Port, or set its Enabled to false"), (host.Status().State, host.Status().Reason));
        taken.Dispose();

        await DatagramServerTests.Eventually(() => host.Status().State == EndpointState.Listening);
        using var peer = host.Connect();
        Assert.Equal("x", await peer.AskAsync("x"));
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private sealed class Shout(TestOptions options) : MessageHandler<TestOptions>(options)
    {
        protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
        {
            context.Reply.Write("X"u8);
            return ValueTask.CompletedTask;
        }
    }
}

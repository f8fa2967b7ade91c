using System.Buffers;
using System.Net;
using System.Text;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Tests.Shared;

namespace Perch.Tests.Datagrams;

/// <summary>What both channels do: the batched one of Linux, and the one of .NET's sockets.</summary>
public sealed class DatagramChannelTests
{
    [Theory]
    [InlineData(true, "127.0.0.1")]
    [InlineData(false, "127.0.0.1")]
    [InlineData(true, "::1")]
    [InlineData(false, "::1")]
    public async Task Receive_WhatWasSent_ComesWithItsPeer(bool isBatched, string address)
    {
        using var channel = Open(isBatched, address);
        using var peer = new UdpPeer(channel.LocalEndPoint);
        var ring = Ring();
        peer.Send("one");
        peer.Send([]);
        peer.Send("three");

        var received = new List<string>();
        while (received.Count < 3)
        {
            var count = await Task.Run(() => channel.Receive(ring)).Soon();
            for (var i = 0; i < count; i++)
            {
                Assert.Equal(new PeerAddress(peer.Local), ring[i].Peer);
                received.Add(Encoding.UTF8.GetString(ring[i].Payload.Span));
            }
        }

        Assert.Equal(["one", "", "three"], received);
    }

    [Theory]
    [InlineData(true, "127.0.0.1")]
    [InlineData(false, "127.0.0.1")]
    [InlineData(true, "::1")]
    [InlineData(false, "::1")]
    public async Task Send_OneThatCannotBeSent_LeavesTheOthers(bool isBatched, string address)
    {
        using var channel = Open(isBatched, address);
        using var peer = new UdpPeer(channel.LocalEndPoint);
        // Two to the peer, and between them one to port 0, which no system sends to.
        var contexts = new[] { Reply(peer.Local, "first"), Reply(new(peer.Local.Address, 0), "never"), Reply(peer.Local, "last") };

        var taken = channel.Send(contexts, out var bytes);

        Assert.Equal((2, 9), (taken, bytes));
        Assert.Equal("first", await peer.ReceiveTextAsync());
        Assert.Equal("last", await peer.ReceiveTextAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task TrySend_ToAPeer_ArrivesUntilTheSocketIsClosed(bool isBatched)
    {
        var channel = Open(isBatched, "127.0.0.1");
        using var peer = new UdpPeer(channel.LocalEndPoint);
        var to = new ReturnAddress(new(peer.Local), 0, 0, 0, 1000);

        Assert.True(channel.TrySend(to, "x"u8));
        Assert.Equal("x", await peer.ReceiveTextAsync());
        channel.Dispose();

        Assert.False(channel.TrySend(to, "x"u8));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task StopReceiving_WhileItWaits_WakesIt(bool isBatched)
    {
        using var channel = Open(isBatched, "127.0.0.1");
        using var peer = new UdpPeer(channel.LocalEndPoint);
        var ring = Ring();
        var receiving = Task.Run(() => channel.Receive(ring));

        channel.StopReceiving();

        Assert.Equal(0, await receiving.Soon());
        // What arrives later is taken, and nothing is waited for.
        peer.Send("late");
        Assert.Equal(1, channel.Receive(ring));
        Assert.Equal(0, channel.Receive(ring));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Receive_AfterAReplyToAClosedPort_GoesOn(bool isBatched)
    {
        using var channel = Open(isBatched, "127.0.0.1");
        using var peer = new UdpPeer(channel.LocalEndPoint);
        var gone = new UdpPeer(channel.LocalEndPoint);
        var closed = gone.Local;
        gone.Dispose();
        for (var i = 0; i < 10; i++) channel.Send([Reply(closed, "x")], out _);
        peer.Send("y");
        var ring = Ring();

        var received = await Task.Run(() =>
        {
            int count;
            do count = channel.Receive(ring);
            while (count == 0);
            return count;
        }).Soon();

        Assert.Equal((1, "y"), (received, Encoding.UTF8.GetString(ring[0].Payload.Span)));
    }

    private static DatagramChannel Open(bool isBatched, string address)
    {
        var socket = DatagramSocket.Bind(new ListenAddress(IPAddress.Parse(address), 0, null, 0) { Transport = EndpointTransport.Udp });
        return isBatched ? new BatchedChannel(socket) : new PlainChannel(socket);
    }

    private static DatagramContext[] Ring() => [.. Enumerable.Range(0, DatagramChannel.BatchSize).Select(_ => new DatagramContext(null!))];

    private static DatagramContext Reply(IPEndPoint to, string text)
    {
        var context = new DatagramContext(null!);
        context.Received(new(to), 100, isTruncated: false);
        context.Reply.Write(Encoding.UTF8.GetBytes(text));
        return context;
    }
}

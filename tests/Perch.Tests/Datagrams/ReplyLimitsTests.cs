using System.Buffers;
using System.Net;
using Perch.Datagrams;

namespace Perch.Tests.Datagrams;

/// <summary>Budget, rates, ports: the parts, on their own.</summary>
public sealed class ReplyLimitsTests
{
    private const long Second = 1_000_000;

    [Theory]
    [InlineData(0, true, 84)]
    [InlineData(10, true, 114)]
    [InlineData(0, false, 144)]
    public void Budget_OfADatagram_IsThreeTimesItsBytesOnTheWire(int payload, bool isIPv4, int expected) =>
        Assert.Equal(expected, ReplyBudget.For(payload, isIPv4));

    [Fact]
    public void Rates_OneSource_HasASecondsWorthAtOnceAndThenTheRate()
    {
        var (rates, peer) = (new ReplyRates(Second), Peer("192.0.2.1:1"));

        Assert.Equal(10, Taken(rates, peer, 10, now: 0, tries: 100));
        Assert.Equal(0, Taken(rates, peer, 10, now: Second / 20, tries: 100));
        Assert.Equal(5, Taken(rates, peer, 10, now: Second / 2, tries: 100));
        Assert.Equal(10, Taken(rates, peer, 10, now: 10 * Second, tries: 100));
    }

    [Fact]
    public void Rates_PortsOfOneAddress_AreOneSource()
    {
        var rates = new ReplyRates(Second);

        Assert.Equal(10, Enumerable.Range(1, 100).Count(port => rates.TryTake(Peer($"192.0.2.1:{port}"), 10, 0)));
    }

    [Fact]
    public void Rates_ASubnetOfIPv6_IsOneSource()
    {
        var rates = new ReplyRates(Second);

        Assert.Equal(10, Enumerable.Range(1, 100).Count(host => rates.TryTake(Peer($"[2001:db8::{host:x}]:9"), 10, 0)));
    }

    [Fact]
    public void Rates_Off_LetsAllThrough() => Assert.Equal(1000, Taken(new ReplyRates(Second), Peer("192.0.2.1:1"), 0, 0, 1000));

    [Fact]
    public void Rates_AMillionForgedSources_TakeNoMemory()
    {
        var rates = new ReplyRates(Second);
        rates.TryTake(new(0, PeerAddress.Map(1), 1, 0), 10, 0);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var taken = 0;
        for (var i = 0u; i < 1_000_000; i++) taken += rates.TryTake(new(0, PeerAddress.Map(i * 2654435761), 9, 0), 10, 0) ? 1 : 0;

        // What compiles the loop anew while it runs may take some.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        // What all of them together get is bounded too.
        Assert.InRange(taken, ReplyRates.Slots * 9, ReplyRates.Slots * 10);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(13)]
    [InlineData(17)]
    [InlineData(19)]
    [InlineData(53)]
    [InlineData(69)]
    [InlineData(123)]
    [InlineData(1900)]
    [InlineData(11211)]
    public void Ports_OfReflectors_AreRefused(int port) => Assert.True(new SourcePorts().IsRefused((ushort)port));

    [Fact]
    public void Ports_OfAnEndpoint_AreRefusedWhileAnybodyHasThem()
    {
        var ports = new SourcePorts();
        ports.Add(25000);
        ports.Add(25000);
        ports.Remove(25000);
        Assert.True(ports.IsRefused(25000));
        ports.Remove(25000);
        Assert.False(ports.IsRefused(25000));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2049)]
    [InlineData(65_507)]
    public void Reply_UpToADatagram_IsKept(int length)
    {
        var reply = new ReplyBuffer();
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);

        reply.Write(bytes);

        Assert.Equal(bytes, reply.Written);
    }

    [Fact]
    public void Reply_LongerThanADatagram_IsRefused()
    {
        var reply = new ReplyBuffer();

        Assert.Throws<InvalidOperationException>(() => reply.GetSpan(65_509));
    }

    [Fact]
    public void Reply_OfNoBytes_IsAReply()
    {
        var reply = new ReplyBuffer();
        Assert.False(reply.IsWritten);
        reply.Write([]);
        Assert.True(reply.IsWritten);
    }

    [Theory]
    [InlineData("239.1.2.3", "239.1.2.3", null)]
    [InlineData("239.1.2.3@eth0", "239.1.2.3", "eth0")]
    [InlineData("ff15::1@lo", "ff15::1", "lo")]
    public void Group_OfText_IsAddressAndInterface(string text, string address, string? name) =>
        Assert.Equal(new MulticastGroup(IPAddress.Parse(address), name), MulticastGroup.Parse(text));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("fe80::1")]
    [InlineData("239.1.2.3@")]
    [InlineData("all")]
    [InlineData("")]
    public void Group_OfOtherText_IsNone(string text) => Assert.Null(MulticastGroup.Parse(text));

    private static PeerAddress Peer(string text) => new(IPEndPoint.Parse(text));

    private static int Taken(ReplyRates rates, PeerAddress peer, int perSecond, long now, int tries) =>
        Enumerable.Range(0, tries).Count(_ => rates.TryTake(peer, perSecond, now));
}

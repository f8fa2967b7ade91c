using Perch.Configuration;
using Perch.Datagrams;
using Perch.Endpoints;
using static Perch.Tests.Configuration.ConfigurationText;

namespace Perch.Tests.Datagrams;

public sealed class UdpConfigTests
{
    [Fact]
    public void Read_UdpKeys_AreInTheAddress()
    {
        var listen = Read(One(""" "Port": 5, "Transport": "udp", "Address": "0.0.0.0", "Protocol": "message", "ReceiveBufferBytes": 8192, "MulticastGroups": [ "239.1.2.3", "239.1.2.4@eth0" ] """)).Endpoints["e"].Listen;

        Assert.Equal("udp 0.0.0.0:5", listen.ToString());
        Assert.Equal((EndpointTransport.Udp, 8192), (listen.Transport, listen.ReceiveBufferBytes));
        Assert.Equal([MulticastGroup.Parse("239.1.2.3")!, MulticastGroup.Parse("239.1.2.4@eth0")!], listen.MulticastGroups);
    }

    [Fact]
    public void Read_OnePortForTcpAndUdp_IsFine() => Assert.Equal(2,
        Read("""{ "Perch": { "Endpoints": { "t": { "Port": 5, "Protocol": "message" }, "u": { "Port": 5, "Transport": "Udp", "Protocol": "message" } } } }""").Endpoints.Count);

    [Theory]
    [InlineData("127.0.0.1", "0.0.0.0")]
    [InlineData("::", "127.0.0.1")]
    public void Read_OnePortForUdpTwice_IsAFault(string first, string second) => Assert.Equal("Perch:Endpoints:b:Port", FaultOf($$"""
        { "Perch": { "Endpoints": {
            "a": { "Port": 5, "Transport": "Udp", "Address": "{{first}}", "Protocol": "message" },
            "b": { "Port": 5, "Transport": "Udp", "Address": "{{second}}", "Protocol": "message" } } } }
        """).Key);

    [Theory]
    [InlineData(""" "Transport": "Udp", "Protocol": "plain", "Port": 1 """, "Protocol", "'plain' does not serve UDP", "Write another Transport, or one of: datagram, message")]
    [InlineData(""" "Protocol": "datagram", "Port": 1 """, "Protocol", "'datagram' does not serve TCP", "Write another Transport, or one of: echo, message, plain")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message" """, "Port", "is missing", "Write Port (0 to 65535), and no UnixSocket")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message", "UnixSocket": "a" """, "Port", "is what UDP has, and UnixSocket is there", "Write Port (0 to 65535), and no UnixSocket")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message", "Port": 1, "Backlog": 5 """, "Backlog", "is for TCP", "Remove it; what UDP holds is ReceiveBufferBytes")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message", "Port": 1, "Scheduling": "Inline" """, "Scheduling", "is for TCP and Unix sockets", "Remove it: the handlers of UDP run on their endpoint's own thread")]
    [InlineData(""" "Transport": "Udp", "Protocol": "datagram", "Port": 1, "ReusePort": true """, "ReusePort", "is for TCP",
        "Remove it: a UDP port, and with it every transfer of tftp, belongs to one process")]
    [InlineData(""" "Protocol": "message", "Port": 1, "ReceiveBufferBytes": 5000 """, "ReceiveBufferBytes", "is for UDP", "Remove it, or write \"Transport\": \"Udp\"")]
    [InlineData(""" "Protocol": "message", "Port": 1, "MulticastGroups": [ "239.1.2.3" ] """, "MulticastGroups", "is for UDP", "Remove it, or write \"Transport\": \"Udp\"")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message", "Port": 1, "MulticastGroups": [ "10.0.0.1" ] """, "MulticastGroups", "'10.0.0.1' is not a multicast group", "Write for example 239.1.2.3, or ff15::1@eth0")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message", "Port": 1, "MulticastGroups": "239.1.2.3" """, "MulticastGroups", "'239.1.2.3' does not reach 127.0.0.1", "Write \"Address\": \"0.0.0.0\" for IPv4 groups, \"::\" for IPv6 ones")]
    [InlineData(""" "Transport": "Udp", "Protocol": "message", "Port": 1, "ReceiveBufferBytes": 1 """, "ReceiveBufferBytes", "1 is out of range", "Write a value between 4096 and 1073741824")]
    public void Read_WhatUdpCannotHave_IsAFaultWithItsCure(string keys, string key, string problem, string cure) =>
        Assert.Equal(new ConfigFault($"Perch:Endpoints:e:{key}", problem, cure), FaultOf(One(keys)));

    [Fact]
    public void Equals_GroupsOrBufferDiffer_NeedsAnotherSocket()
    {
        const string Keys = """ "Transport": "Udp", "Protocol": "message", "Port": 1, "Address": "0.0.0.0" """;

        Assert.Equal(Of(Keys), Of(Keys));
        Assert.NotEqual(Of(Keys), Of($"{Keys}, \"ReceiveBufferBytes\": 5000"));
        Assert.NotEqual(Of(Keys), Of($"{Keys}, \"MulticastGroups\": [ \"239.1.2.3\" ]"));
        Assert.Equal(Of($"{Keys}, \"MulticastGroups\": [ \"239.1.2.3\" ]"), Of($"{Keys}, \"MulticastGroups\": [ \"239.1.2.3\" ]"));
        Assert.Equal(Of(Keys), Of($"{Keys}, \"Guards\": {{ \"RepliesPerSecond\": 7 }}"));
    }

    private static ListenAddress Of(string keys) => Read(One(keys)).Endpoints["e"].Listen;
}

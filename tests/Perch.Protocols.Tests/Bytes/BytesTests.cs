using Microsoft.Extensions.Time.Testing;
using Perch.Configuration;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Bytes;

public sealed class BytesTests
{
    [Fact]
    public async Task Bytes_SilentPeer_IsSentThePayload()
    {
        await using var host = new ProtocolHost("bytes");
        var peer = host.Connect();
        await peer.ExpectAsync((byte[])[1, 2, 3, 4]);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 0, 4), (ended.Outcome, ended.Messages, ended.BytesSent));
    }

    [Fact]
    public async Task Bytes_SilentPeer_OwesNoFirstByteAndEndsIdle()
    {
        var time = new FakeTimeProvider();
        await using var host = new ProtocolHost("bytes", time: time);
        var peer = host.Connect();
        peer.Connection.Heartbeat();
        time.Advance(TimeSpan.FromMinutes(9));
        peer.Connection.Heartbeat();
        Assert.Null(peer.Connection.AbortReason);
        time.Advance(TimeSpan.FromMinutes(1));
        peer.Connection.Heartbeat();
        Assert.Equal(ConnectionOutcome.IdleTimeout, (await peer.EndedAsync()).Outcome);
    }

    [Theory]
    [InlineData("ff", new byte[] { 0xFF })]
    [InlineData("DEADbeef00", new byte[] { 0xDE, 0xAD, 0xBE, 0xEF, 0 })]
    [InlineData("", new byte[0])]
    public async Task Bytes_PayloadOfTheOptions_IsSentOnceAndLeavesTheConnectionOpen(string payload, byte[] expected)
    {
        await using var host = new ProtocolHost("bytes", $$"""{ "Payload": "{{payload}}" }""");
        var peer = host.Connect();
        await peer.ExpectAsync(expected);
        await peer.SendAsync("one");
        peer.EndInput();
        Assert.Equal(1, (await peer.ExpectEndAsync()).Messages);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("010")]
    [InlineData("0x01")]
    [InlineData("01 02")]
    [InlineData("zz")]
    [InlineData("\uFF11\uFF12")]
    public void Bytes_PayloadThatIsNotHex_IsRefused(string payload)
    {
        var refused = Assert.Throws<PerchConfigurationException>(() => new ProtocolHost("bytes", $$"""{ "Payload": "{{payload}}" }"""));
        var fault = Assert.Single(refused.Faults);
        Assert.Equal(("Perch:Endpoints:test:Options:Payload", $"'{payload}' is not pairs of hex digits, such as 01020304"), (fault.Key, fault.Problem));
    }

    [Fact]
    public async Task Bytes_Payload_HasABound()
    {
        await using var most = new ProtocolHost("bytes", $$"""{ "Payload": "{{new string('a', 2048)}}" }""");
        Assert.Equal(Enumerable.Repeat((byte)0xAA, 1024), await most.Connect().ReceiveAsync(1024));
        var refused = Assert.Throws<PerchConfigurationException>(() => new ProtocolHost("bytes", $$"""{ "Payload": "{{new string('a', 2050)}}" }"""));
        Assert.Equal("Perch:Endpoints:test:Options:Payload", Assert.Single(refused.Faults).Key);
    }

    [Fact]
    public async Task Bytes_WhatArrives_IsLoggedAsHexAndNotAnswered()
    {
        await using var host = new ProtocolHost("bytes");
        var peer = host.Connect();
        await peer.SendAsync((byte[])[0x00, 0x1B, 0xFF, (byte)'A']);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync((byte[])[1, 2, 3, 4]);
        Assert.Equal((1, 4), (ended.Messages, ended.BytesReceived));
        var received = Assert.Single(host.Logged("BytesReceived"));
        Assert.Equal(("4", "00 1B FF 41"), (received.GetStructuredStateValue("Count"), received.GetStructuredStateValue("Hex")));
    }

    [Fact]
    public async Task Bytes_MuchThatArrives_IsLoggedBoundedAndCountedWhole()
    {
        await using var host = new ProtocolHost("bytes");
        var peer = host.Connect();
        await peer.SendAsync(new byte[1500]);
        peer.EndInput();
        await peer.ReceiveToEndAsync();
        var ended = await peer.EndedAsync();
        Assert.Equal((2, 1500), (ended.Messages, ended.BytesReceived));
        var zeros = string.Join(' ', Enumerable.Repeat("00", 64));
        Assert.Equal(
            [("1024", $"{zeros}…(+960 bytes)"), ("476", $"{zeros}…(+412 bytes)")],
            host.Logged("BytesReceived").Select(e => (e.GetStructuredStateValue("Count"), e.GetStructuredStateValue("Hex"))));
    }

    [Fact]
    public async Task Bytes_ByteByByte_LogsEach()
    {
        await using var host = new ProtocolHost("bytes");
        var peer = host.Connect(trickle: true);
        await peer.SendAsync((byte[])[1, 2, 3]);
        peer.EndInput();
        Assert.Equal(3, (await peer.ExpectEndAsync((byte[])[1, 2, 3, 4])).Messages);
        Assert.Equal(["01", "02", "03"], host.Logged("BytesReceived").Select(e => e.GetStructuredStateValue("Hex")));
    }

    [Fact]
    public async Task Bytes_DrainBegins_HasGreetedAndEnds()
    {
        await using var host = new ProtocolHost("bytes");
        var peer = host.Connect();
        peer.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync((byte[])[1, 2, 3, 4])).Outcome);
    }
}

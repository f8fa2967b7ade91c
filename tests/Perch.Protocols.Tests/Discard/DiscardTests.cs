using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Discard;

public sealed class DiscardTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Discard_WhateverArrives_IsCountedAndNotAnswered(bool trickle)
    {
        await using var host = new ProtocolHost("discard");
        var peer = host.Connect(trickle);
        await peer.SendAsync(new byte[1000]);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 1000, 0), (ended.Outcome, ended.BytesReceived, ended.BytesSent));
        Assert.Equal(trickle ? 1000 : 1, ended.Messages);
    }

    [Fact]
    public async Task Discard_MoreThanABufferHolds_IsTakenToTheEnd()
    {
        await using var host = new ProtocolHost("discard");
        var peer = host.Connect();
        // The pipe holds 64 KiB: each send returns when the server has made room.
        for (var i = 0; i < 64; i++) await peer.SendAsync(new byte[32 * 1024]);
        peer.EndInput();
        Assert.Equal(64 * 32 * 1024, (await peer.ExpectEndAsync()).BytesReceived);
    }

    [Fact]
    public async Task Discard_SilentWhenTheDrainBegins_EndsAtOnce()
    {
        await using var host = new ProtocolHost("discard");
        var peer = host.Connect();
        peer.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync()).Outcome);
    }
}

using System.Text;
using Microsoft.Extensions.Time.Testing;
using Perch.Configuration;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Chargen;

public sealed class ChargenTests
{
    private const int LineBytes = 74;
    private const int Lines = 95;

    [Fact]
    public async Task Chargen_FirstLines_AreThoseOfTheRfc()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect();
        await peer.ExpectAsync(
            """ !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg""" + "\r\n"
            + """!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefgh""" + "\r\n");
    }

    [Fact]
    public async Task Chargen_Lines_GoRoundAfterNinetyFive()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect();
        var ring = string.Concat(Enumerable.Range(' ', Lines).Select(code => (char)code));
        for (var line = 0; line < 2 * Lines + 1; line++)
        {
            var expected = string.Concat((ring + ring).AsSpan(line % Lines, 72), "\r\n");
            Assert.Equal(expected, Encoding.ASCII.GetString(await peer.ReceiveAsync(LineBytes)));
        }
    }

    [Fact]
    public async Task Chargen_WhatArrives_IsThrownAway()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect(trickle: true);
        await peer.SendAsync("stop\r\n");
        await peer.SendAsync(new byte[64 * 1024]);
        await peer.ReceiveAsync(LineBytes * Lines * 20);
        peer.Connection.Reset();
        Assert.Equal(ConnectionOutcome.PeerReset, (await peer.EndedAsync()).Outcome);
    }

    [Fact]
    public async Task Chargen_PeerHalfCloses_IsSentMore()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect();
        peer.EndInput();
        await peer.ReceiveAsync(LineBytes * Lines * 20);
        await peer.Connection.ClientInput.CompleteAsync();
        await peer.EndedAsync();
    }

    [Fact]
    public async Task Chargen_PeerReadsNoMore_EndsAsAReset()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect();
        await peer.ReceiveAsync(LineBytes);
        await peer.Connection.ClientInput.CompleteAsync();
        Assert.Equal(ConnectionOutcome.PeerReset, (await peer.EndedAsync()).Outcome);
    }

    [Fact]
    public async Task Chargen_PeerStopsReading_EndsAfterTheWriteTimeout()
    {
        var time = new FakeTimeProvider();
        await using var host = new ProtocolHost("chargen", time: time);
        var peer = host.Connect();
        // The first heartbeat finds the flush waiting, a later one that it still does.
        peer.Connection.Heartbeat();
        time.Advance(TimeSpan.FromSeconds(59));
        peer.Connection.Heartbeat();
        Assert.Null(peer.Connection.AbortReason);
        time.Advance(TimeSpan.FromSeconds(1));
        peer.Connection.Heartbeat();
        Assert.Equal(ConnectionOutcome.WriteTimeout, (await peer.EndedAsync()).Outcome);
    }

    [Fact]
    public async Task Chargen_PeerThatNeverReads_HoldsABoundedBuffer()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect();
        peer.Connection.RequestClose();
        // The drain releases the flush that waited: what was written until then is all there is.
        var sent = await peer.ReceiveToEndAsync();
        var ended = await peer.EndedAsync();
        Assert.Equal((ConnectionOutcome.Drained, sent.LongLength), (ended.Outcome, ended.BytesSent));
        Assert.InRange(sent.Length, LineBytes * Lines, 64 * 1024 + LineBytes * Lines);
    }

    [Fact]
    public async Task Chargen_DrainWhileThePeerReads_EndsAtALinesEnd()
    {
        await using var host = new ProtocolHost("chargen");
        var peer = host.Connect();
        await peer.ReceiveAsync(LineBytes * Lines * 20);
        peer.Connection.RequestClose();
        var rest = await peer.ReceiveToEndAsync();
        Assert.Equal(0, rest.Length % LineBytes);
        Assert.Equal(ConnectionOutcome.Drained, (await peer.EndedAsync()).Outcome);
    }

    [Fact]
    public void Chargen_AnyOption_IsRefused()
    {
        var refused = Assert.Throws<PerchConfigurationException>(() => new ProtocolHost("chargen", """{ "MaxMessageBytes": 100 }"""));
        Assert.Equal("Perch:Endpoints:test:Options:MaxMessageBytes", Assert.Single(refused.Faults).Key);
    }
}

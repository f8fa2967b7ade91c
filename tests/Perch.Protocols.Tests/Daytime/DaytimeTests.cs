using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Protocols.Tests.Daytime;

public sealed class DaytimeTests
{
    [Theory]
    [InlineData("2026-11-20T20:09:58Z", "20 NOV 2026 20:09:58 UTC\r\n")]
    [InlineData("2026-01-02T03:04:05.999Z", "02 JAN 2026 03:04:05 UTC\r\n")]
    [InlineData("2026-12-31T23:30:00-01:00", "01 JAN 2027 00:30:00 UTC\r\n")]
    public async Task Daytime_SilentPeer_IsToldTheTimeAndClosed(string now, string line)
    {
        var start = DateTimeOffset.Parse(now, CultureInfo.InvariantCulture).ToUniversalTime();
        await using var host = new ProtocolHost("daytime", time: new FakeTimeProvider(start));
        var peer = host.Connect();
        var ended = await peer.ExpectEndAsync(line);
        Assert.Equal((ConnectionOutcome.Completed, 0), (ended.Outcome, ended.Messages));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Daytime_PeerThatSpeaks_GetsTheSame(bool trickle)
    {
        await using var host = new ProtocolHost("daytime", time: new FakeTimeProvider());
        var peer = host.Connect(trickle);
        await peer.SendAsync("what time is it?\n");
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync("01 JAN 2000 00:00:00 UTC\r\n")).Outcome);
    }

    [Fact]
    public async Task Daytime_PeerThatHalfCloses_GetsTheSame()
    {
        await using var host = new ProtocolHost("daytime", time: new FakeTimeProvider());
        var peer = host.Connect();
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync("01 JAN 2000 00:00:00 UTC\r\n")).Outcome);
    }
}

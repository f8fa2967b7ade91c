using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

public sealed class RegistryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ConnectionRegistry _registry;

    public RegistryTests() => _registry = new(_time);

    private EndpointTraffic Traffic => _registry.TrafficOf("e", "p");

    [Fact]
    public void End_Twice_CountsOnce()
    {
        var connection = Add();

        Assert.NotNull(_registry.End(connection, ConnectionOutcome.DrainAborted));
        Assert.Null(_registry.End(connection, ConnectionOutcome.Completed));

        Assert.Equal(ConnectionOutcome.DrainAborted, Assert.Single(_registry.Recent()).Outcome);
        Assert.Equal(1, Traffic.Totals().Ended.Sum());
        Assert.Empty(_registry.Live());
    }

    [Fact]
    public void Recent_MoreThanItKeeps_AreTheLastOnesNewestFirst()
    {
        for (var i = 0; i < ConnectionRegistry.RecentCapacity + 5; i++) _registry.End(Add($"{i}"), ConnectionOutcome.Completed);

        Assert.Equal(1000, ConnectionRegistry.RecentCapacity);
        Assert.Equal(
            Enumerable.Range(5, ConnectionRegistry.RecentCapacity).Reverse().Select(i => $"{i}"), _registry.Recent().Select(e => e.Id));
    }

    [Fact]
    public void End_Connection_IsDescribed()
    {
        var started = _time.GetUtcNow();
        var connection = Add("id");
        (connection.Progress, connection.Messages) = (new CountedProgress { BytesReceived = 1, BytesSent = 2 }, 3);
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(
            new EndedConnection("id", "e", "p", "127.0.0.1:50000", started, TimeSpan.FromSeconds(5), 1, 2, 3, ConnectionOutcome.TooSlow),
            _registry.End(connection, ConnectionOutcome.TooSlow));
    }

    [Fact]
    public void Peer_EveryKindOfAddress_IsReadable()
    {
        Assert.Equal("192.0.2.1:7", PeerOf(new IPEndPoint(IPAddress.Parse("::ffff:192.0.2.1"), 7)));
        Assert.Equal("[::1]:7", PeerOf(new IPEndPoint(IPAddress.IPv6Loopback, 7)));
        Assert.Equal("unix", PeerOf(new UnixDomainSocketEndPoint("/x")));
        Assert.Equal("unix", PeerOf(null));
    }

    [Fact]
    public void Totals_LiveAndEnded_AreSummed()
    {
        var (live, ended) = (Add(), Add());
        (live.Progress, live.Messages) = (new CountedProgress { BytesReceived = 1, BytesSent = 2 }, 3);
        (ended.Progress, ended.Messages) = (new CountedProgress { BytesReceived = 10, BytesSent = 20 }, 30);
        _registry.End(ended, ConnectionOutcome.Completed);

        var totals = Traffic.Totals();

        Assert.Equal((1, 2, 11, 22, 33), (totals.Active, totals.Accepted, totals.Received, totals.Sent, totals.Messages));
    }

    [Fact]
    public void TrafficOf_SameName_KeepsCountingThere()
    {
        Assert.Same(_registry.TrafficOf("e", "p"), _registry.TrafficOf("e", "p"));
        Assert.NotSame(_registry.TrafficOf("e", "p"), _registry.TrafficOf("e", "other"));
    }

    [Fact]
    public async Task Totals_ConnectionsEndMeanwhile_NeverGoBack()
    {
        const int Count = 20_000;
        var context = new InMemoryConnection();
        var ending = Task.Run(() =>
        {
            for (var i = 0; i < Count; i++)
            {
                var connection = new ConnectionState(context, Traffic, _time);
                Traffic.Add(connection);
                (connection.Progress, connection.Messages) = (new CountedProgress { BytesReceived = 1, BytesSent = 1 }, 1);
                _registry.End(connection, ConnectionOutcome.Completed);
            }
        });
        var last = Traffic.Totals();
        while (last.Messages < Count)
        {
            var now = Traffic.Totals();
            Assert.True(
                now.Received >= last.Received && now.Sent >= last.Sent && now.Messages >= last.Messages
                && now.Accepted >= last.Accepted && now.Ended.Sum() >= last.Ended.Sum());
            Assert.Equal(now.Accepted, now.Active + now.Ended.Sum());
            last = now;
        }

        await ending.Soon();
        Assert.Equal((Count, Count, 0), (last.Received, last.Accepted, Traffic.Totals().Active));
    }

    private string PeerOf(EndPoint? remote) => new ConnectionState(new InMemoryConnection { RemoteEndPoint = remote }, Traffic, _time).Peer;

    private ConnectionState Add(string id = "x")
    {
        var connection = new ConnectionState(new InMemoryConnection { ConnectionId = id }, Traffic, _time);
        Traffic.Add(connection);
        return connection;
    }
}

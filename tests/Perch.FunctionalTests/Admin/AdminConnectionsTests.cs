using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Perch.Server.Admin;
using Perch.Transport;

namespace Perch.FunctionalTests.Admin;

/// <summary>The places of the admin endpoint, without a socket.</summary>
public sealed class AdminConnectionsTests
{
    private const int Cap = 3;

    private readonly FakeTimeProvider _time = new();
    private readonly Gate _gate = new();
    private readonly AdminConnections _connections;

    public AdminConnectionsTests() => _connections = new(Cap, _gate, _time);

    [Fact]
    public async Task TryEnter_PlacesAreTakenByYoungConnections_WaitsUntilTheGraceIsOver()
    {
        var held = Fill();
        Assert.False(_connections.TryEnter());
        _time.Advance(AdminConnections.Grace - TimeSpan.FromTicks(1));
        Assert.False(_connections.TryEnter());

        _time.Advance(TimeSpan.FromTicks(1));
        Assert.True(_connections.TryEnter());
        var next = Connect();

        Assert.Equal([true, false, false, false], [.. held.Append(next).Select(c => c.WasAborted)]);
        Array.ForEach([.. held, next], c => c.Ended.SetResult());
        await Task.WhenAll(held.Append(next).Select(c => c.Served));
        Assert.Equal(0, _gate.Entered);
    }

    [Fact]
    public async Task TryEnter_ConnectionHadARequestJustNow_KeepsItsPlace()
    {
        var held = Fill();
        _time.Advance(AdminConnections.Grace);
        var context = new DefaultHttpContext(held[0].Connection.Features);
        await _connections.OnRequestAsync(context, _ => Task.CompletedTask);

        Assert.True(_connections.TryEnter());
        var next = Connect();

        Assert.Equal([false, true, false, false], [.. held.Append(next).Select(c => c.WasAborted)]);
        Array.ForEach([.. held, next], c => c.Ended.SetResult());
    }

    [Fact]
    public async Task TryEnter_EveryConnectionHadARequestJustNow_WaitsUntilTheGraceIsOver()
    {
        var held = Fill();
        _time.Advance(AdminConnections.Grace);
        foreach (var peer in held)
            await _connections.OnRequestAsync(new DefaultHttpContext(peer.Connection.Features), _ => Task.CompletedTask);

        Assert.False(_connections.TryEnter());
        _time.Advance(AdminConnections.Grace);
        Assert.True(_connections.TryEnter());
        held.ForEach(c => c.Ended.SetResult());
    }

    [Fact]
    public async Task OnConnection_EveryPlaceHasARequest_RefusesTheNewOne()
    {
        var held = Fill();
        var requests = new TaskCompletionSource();
        var pending = held.Select(c => _connections.OnRequestAsync(new DefaultHttpContext(c.Connection.Features), _ => requests.Task)).ToList();

        Assert.True(_connections.TryEnter());
        var next = Connect();

        Assert.True(next.WasAborted);
        Assert.DoesNotContain(held, c => c.WasAborted);
        requests.SetResult();
        await Task.WhenAll(pending);
        held.ForEach(c => c.Ended.SetResult());
    }

    [Fact]
    public void TryEnter_GateOfDescriptorsIsClosed_TakesNoPlace()
    {
        _gate.IsOpen = false;
        for (var i = 0; i < 100; i++)
            Assert.False(_connections.TryEnter());

        _gate.IsOpen = true;
        var held = Fill();
        Assert.DoesNotContain(held, c => c.WasAborted);
        held.ForEach(c => c.Ended.SetResult());
    }

    [Fact]
    public void Leave_AcceptGaveNoConnection_ReturnsThePlace()
    {
        for (var i = 0; i < 100; i++)
        {
            Assert.True(_connections.TryEnter());
            _connections.Leave();
        }

        Assert.Equal(0, _gate.Entered);
    }

    private List<Peer> Fill()
    {
        var held = new List<Peer>();
        for (var i = 0; i < Cap; i++)
        {
            Assert.True(_connections.TryEnter());
            held.Add(Connect());
        }

        return held;
    }

    private Peer Connect()
    {
        var peer = new Peer();
        peer.Served = _connections.OnConnectionAsync(peer.Connection, _ => peer.Ended.Task);
        return peer;
    }

    private sealed class Peer
    {
        public Peer() => Connection = new Abortable(this);

        public ConnectionContext Connection { get; }

        public TaskCompletionSource Ended { get; } = new();

        public Task Served { get; set; } = Task.CompletedTask;

        public bool WasAborted { get; private set; }

        private sealed class Abortable(Peer peer) : DefaultConnectionContext
        {
            public override void Abort(ConnectionAbortedException abortReason) => peer.WasAborted = true;
        }
    }

    private sealed class Gate : IAcceptGate
    {
        public string Reason => "the test refuses";

        public bool IsOpen { get; set; } = true;

        public int Entered { get; private set; }

        public bool TryEnter()
        {
            if (IsOpen)
                Entered++;
            return IsOpen;
        }

        public void Leave() => Entered--;
    }
}

using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Tests.Fakes;

namespace Perch.Tests.Datagrams;

/// <summary>Dialogues over several datagrams: what TFTP and its like are made of.</summary>
public sealed class DatagramSessionTests
{
    [Fact]
    public async Task Session_OnAPortOfItsOwn_TalksFromTheAddressThatWasAsked()
    {
        await using var host = await StartAsync(SessionPort.Own, EchoAsync, """ "Address": "0.0.0.0" """, "00:00:00.1");
        using var peer = new FreePeer();
        peer.Send(new(IPAddress.Parse("127.0.0.2"), host.Port()), "begin");

        var (hello, session) = await peer.ReceiveAsync();

        Assert.Equal("session u-s1", hello);
        Assert.Equal(IPAddress.Parse("127.0.0.2"), session.Address);
        Assert.NotEqual(host.Port(), session.Port);
        peer.Send(session, "one");
        Assert.Equal(("one", session), await peer.ReceiveAsync());
        var live = Assert.Single(host.Registry.Live());
        Assert.Equal(("u-s1", peer.Local.ToString()), (live.Id, live.Peer));
        peer.Send(session, "bye");
        await DatagramServerTests.Eventually(() => host.Registry.Recent().Length == 1);
        var ended = host.Registry.Recent()[0];
        Assert.Equal((ConnectionOutcome.Completed, 2L, 6L), (ended.Outcome, ended.Messages, ended.BytesReceived));
    }

    [Fact]
    public async Task Session_OnTheEndpointsPort_GetsWhatItsPeerSendsAndNothingElse()
    {
        await using var host = await StartAsync(SessionPort.Endpoint, EchoAsync, drain: "00:00:00.1");
        using var peer = host.Connect();
        using var other = host.Connect();

        Assert.Equal("session u-s1", await peer.AskAsync("begin"));
        Assert.Equal("session u-s2", await other.AskAsync("begin"));
        Assert.Equal("one", await peer.AskAsync("one"));
        Assert.Equal("two", await other.AskAsync("two"));
        peer.Send("bye");
        await DatagramServerTests.Eventually(() => host.Registry.Recent().Length == 1);

        // It is over: the next datagram begins another.
        Assert.Equal("session u-s3", await peer.AskAsync("begin"));
        Assert.Equal(2, host.Status().Connections);
    }

    [Fact]
    public async Task Session_UntilItsPeerIsConfirmed_HasABudget()
    {
        var sent = new TaskCompletionSource<(int, int)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await StartAsync(SessionPort.Own, async session =>
        {
            await Task.Yield();
            // 28 + 5 bytes came: 99 may go, which is two datagrams of 16.
            var before = Enumerable.Range(0, 10).Count(_ => session.TrySend(new byte[16]));
            session.ConfirmPeer();
            sent.SetResult((before, Enumerable.Range(0, 10).Count(_ => session.TrySend(new byte[16]))));
        });
        using var peer = new FreePeer();

        peer.Send(new(IPAddress.Loopback, host.Port()), "begin");

        Assert.Equal((2, 10), await sent.Task.Soon());
        Assert.Equal(8, host.Dropped(DropReason.Budget));
    }

    [Fact]
    public async Task Session_ThatHearsAStranger_TellsItAndGoesOn()
    {
        await using var host = await StartAsync(SessionPort.Own, async session =>
        {
            var buffer = new byte[100];
            session.TrySend("go"u8);
            while (true)
            {
                var received = await session.ReceiveAsync(buffer, session.Aborted);
                session.TrySend(received.From, received.From.Peer == session.Peer ? "peer"u8 : "stranger"u8);
            }
        }, drain: "00:00:00.1");
        using var peer = new FreePeer();
        using var stranger = new FreePeer();
        peer.Send(new(IPAddress.Loopback, host.Port()), "begin");
        var (_, session) = await peer.ReceiveAsync();

        stranger.Send(session, "me too");
        Assert.Equal("stranger", (await stranger.ReceiveAsync()).Text);
        peer.Send(session, "on");
        Assert.Equal("peer", (await peer.ReceiveAsync()).Text);
    }

    [Theory]
    [InlineData(SessionPort.Own)]
    [InlineData(SessionPort.Endpoint)]
    public async Task Drain_WithASession_WaitsForItsEnd(SessionPort port)
    {
        await using var host = await StartAsync(port, async session =>
        {
            var buffer = new byte[100];
            session.TrySend("go"u8);
            await session.ReceiveAsync(buffer, session.Aborted);
            session.TrySend("last"u8);
        });
        using var peer = new FreePeer();
        peer.Send(new(IPAddress.Loopback, host.Port()), "begin");
        var (_, session) = await peer.ReceiveAsync();

        var stopping = host.StopAsync();
        await DatagramServerTests.Eventually(() => host.Status().State == EndpointState.Draining);
        Assert.False(stopping.IsCompleted);
        peer.Send(session, "finish");

        Assert.Equal("last", (await peer.ReceiveAsync()).Text);
        await stopping.Soon();
        Assert.Equal(ConnectionOutcome.Drained, Assert.Single(host.Registry.Recent()).Outcome);
    }

    [Theory]
    [InlineData(SessionPort.Own)]
    [InlineData(SessionPort.Endpoint)]
    public async Task Drain_WithASessionThatStays_AbortsItAtTheDeadline(SessionPort port)
    {
        await using var host = await StartAsync(port, EchoAsync, drain: "00:00:00.1");
        using var peer = new FreePeer();
        peer.Send(new(IPAddress.Loopback, host.Port()), "begin");
        await peer.ReceiveAsync();

        await host.StopAsync().Soon();

        Assert.Equal(ConnectionOutcome.DrainAborted, Assert.Single(host.Registry.Recent()).Outcome);
    }

    [Fact]
    public async Task Sessions_OverTheCap_AreRejected()
    {
        await using var host = await StartAsync(SessionPort.Own, EchoAsync, """ "Address": "127.0.0.1", "Guards": { "MaxConnections": 1 } """, "00:00:00.1");
        using var peer = new FreePeer();
        using var second = new FreePeer();
        peer.Send(new(IPAddress.Loopback, host.Port()), "begin");
        await peer.ReceiveAsync();

        second.Send(new(IPAddress.Loopback, host.Port()), "begin");

        await DatagramServerTests.Eventually(() => host.Registry.Recent().Length == 1);
        Assert.Equal(ConnectionOutcome.Rejected, host.Registry.Recent()[0].Outcome);
    }

    [Fact]
    public async Task Session_ThatThrows_IsAFault()
    {
        await using var host = await StartAsync(SessionPort.Own, _ => throw new InvalidOperationException("The protocol is at fault."));
        using var peer = host.Connect();

        peer.Send("begin");

        await DatagramServerTests.Eventually(() => host.Registry.Recent().Length == 1);
        Assert.Equal(ConnectionOutcome.HandlerFault, host.Registry.Recent()[0].Outcome);
    }

    private static async Task EchoAsync(DatagramSession session)
    {
        var buffer = new byte[100];
        session.TrySend(Encoding.UTF8.GetBytes($"session {session.Id}"));
        while (true)
        {
            var received = await session.ReceiveAsync(buffer, session.Aborted);
            session.CountMessages();
            if (buffer.AsSpan(0, received.Length).SequenceEqual("bye"u8)) return;
            session.TrySend(buffer.AsSpan(0, received.Length));
        }
    }

    private static Task<DatagramHost> StartAsync(SessionPort port, Func<DatagramSession, Task> serve, string keys = """ "Address": "127.0.0.1" """, string drain = "00:00:05") =>
        DatagramHost.StartAsync(
            perch =>
            {
                perch.Services.AddSingleton(new OnDatagram((context, _) =>
                {
                    Assert.True(context.Endpoint.TryStartSession(context.Return, port, serve));
                    return ValueTask.CompletedTask;
                }));
                perch.AddProtocol<DatagramDelegate, TestOptions>("test");
            },
            keys, drain);

    /// <summary>A client that hears anybody, as one must whose server answers from another port.</summary>
    private sealed class FreePeer : IDisposable
    {
        private readonly System.Net.Sockets.UdpClient _client = new(new IPEndPoint(IPAddress.Loopback, 0));

        public IPEndPoint Local => (IPEndPoint)_client.Client.LocalEndPoint!;

        public void Send(IPEndPoint to, string text) => _client.Send(Encoding.UTF8.GetBytes(text), to);

        public async Task<(string Text, IPEndPoint From)> ReceiveAsync()
        {
            var received = await _client.ReceiveAsync().Soon();
            return (Encoding.UTF8.GetString(received.Buffer), received.RemoteEndPoint);
        }

        public void Dispose() => _client.Dispose();
    }
}

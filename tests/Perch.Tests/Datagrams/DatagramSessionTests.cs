using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Tests.Shared;

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

    /// <summary>
    /// A session that waits for a slow disk outlives the drain and the endpoint's socket. The number of the socket's descriptor is another
    /// socket's by then, which the end of the session must not touch.
    /// </summary>
    [Fact]
    public async Task Session_ThatOutlivesItsEndpoint_LeavesOtherSocketsAlone()
    {
        var disk = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = new HandlerLeft();
        await using var host = await DatagramHost.StartAsync(
            perch =>
            {
                perch.Services.AddSingleton(left);
                perch.Services.AddSingleton(new OnDatagram((context, _) =>
                {
                    Assert.True(context.Endpoint.TryStartSession(context.Return, SessionPort.Endpoint, session =>
                    {
                        session.TrySend("begun"u8);
                        return disk.Task;
                    }));
                    return ValueTask.CompletedTask;
                }));
                perch.AddProtocol<LeavingDelegate, TestOptions>("test");
            },
            drain: "00:00:00.1");
        using var peer = host.Connect();
        // Before, so that the number that becomes free is not that of the listener.
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var port = host.Port();
        Assert.Equal("begun", await peer.AskAsync("begin"));

        host.Change(("Perch:Endpoints:u:Enabled", "false"));
        await DatagramServerTests.Eventually(() => IsFree(port));
        var others = Enumerable.Range(0, 24).Select(_ => SocketPair.Create(listener)).ToList();
        disk.SetResult();
        await left.Task.Soon();

        Assert.All(others, pair => Assert.False(pair.HasEnded));
        others.ForEach(pair => pair.Dispose());
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

    private static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Completes when the last of the endpoint's pipeline has left its handler.</summary>
    private sealed class HandlerLeft
    {
        private readonly TaskCompletionSource _source = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Task => _source.Task;

        public void Set() => _source.TrySetResult();
    }

    private sealed class LeavingDelegate(TestOptions options, OnDatagram on, HandlerLeft left) : DatagramHandler<TestOptions>(options), IDisposable
    {
        public void Dispose() => left.Set();

        protected internal override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload) => on.Handle(context, payload);
    }

    private sealed record SocketPair(Socket Accepted, Socket Client) : IDisposable
    {
        public bool HasEnded => Accepted.Poll(0, SelectMode.SelectRead) || Client.Poll(0, SelectMode.SelectRead);

        public static SocketPair Create(Socket listener)
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            client.Connect(listener.LocalEndPoint!);
            return new(listener.Accept(), client);
        }

        public void Dispose()
        {
            Accepted.Dispose();
            Client.Dispose();
        }
    }

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

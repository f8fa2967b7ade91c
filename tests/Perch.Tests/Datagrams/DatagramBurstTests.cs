using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Tests.Shared;

namespace Perch.Tests.Datagrams;

/// <summary>What a session may do beyond one datagram within its budget.</summary>
public sealed class DatagramBurstTests
{
    [Theory]
    [InlineData(SessionPort.Own, "127.0.0.1", 1, 10)]
    [InlineData(SessionPort.Own, "127.0.0.1", 1432, 1432)]
    [InlineData(SessionPort.Own, "127.0.0.1", 1432, 64 * 1432)]
    [InlineData(SessionPort.Own, "127.0.0.1", 516, (130 * 516) + 7)]
    [InlineData(SessionPort.Own, "127.0.0.1", 40_000, 100_000)]
    [InlineData(SessionPort.Own, "0.0.0.0", 1432, (70 * 1432) + 1)]
    [InlineData(SessionPort.Own, "::1", 1432, (70 * 1432) + 1)]
    [InlineData(SessionPort.Endpoint, "127.0.0.1", 1432, (64 * 1432) - 1)]
    [InlineData(SessionPort.Endpoint, "0.0.0.0", 1432, (70 * 1432) + 1)]
    [InlineData(SessionPort.Endpoint, "::", 1432, (70 * 1432) + 1)]
    public async Task Send_ManyDatagrams_ArriveOneByOneInOrder(SessionPort port, string address, int each, int bytes)
    {
        var payloads = new byte[bytes];
        new Random(each).NextBytes(payloads);
        await using var host = await StartAsync(port, async session =>
        {
            session.ConfirmPeer();
            for (var next = 0; next * each < bytes; next += session.Send(payloads.AsSpan(next * each), each)) await Task.Yield();
        }, $$""" "Address": "{{address}}" """);
        var to = new IPEndPoint(address.Contains(':', StringComparison.Ordinal) ? IPAddress.IPv6Loopback : IPAddress.Loopback, host.Port());
        using var peer = new System.Net.Sockets.UdpClient(new IPEndPoint(to.Address, 0));
        peer.Client.ReceiveBufferSize = 4 << 20;
        await peer.SendAsync("begin"u8.ToArray(), to);

        foreach (var expected in payloads.Chunk(each)) Assert.Equal(expected, (await peer.ReceiveAsync().Soon()).Buffer);

        await DatagramServerTests.Eventually(() => host.Registry.Recent().Length == 1);
        Assert.Equal(bytes, host.Registry.Recent()[0].BytesSent);
        Assert.Equal((bytes + each - 1) / each, host.Traffic().Sent);
    }

    [Fact]
    public async Task Send_ToAPeerThatIsNotConfirmed_IsAFault()
    {
        var thrown = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await StartAsync(SessionPort.Own, session =>
        {
            thrown.SetResult(Assert.Throws<InvalidOperationException>(() => session.Send(new byte[10], 5)));
            return Task.CompletedTask;
        });
        using var peer = host.Connect();

        peer.Send("begin");

        await thrown.Task.Soon();
        Assert.Equal(0, host.Traffic().Sent);
    }

    [Fact]
    public async Task AllowOnce_OverTheBudget_LetsOneDatagramThrough()
    {
        var sent = new TaskCompletionSource<(bool, bool, bool)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await StartAsync(SessionPort.Endpoint, session =>
        {
            var before = session.TrySend(new byte[516]);
            session.AllowOnce(516);
            sent.SetResult((before, session.TrySend(new byte[516]), session.TrySend(new byte[1])));
            return Task.CompletedTask;
        });
        using var peer = host.Connect();

        peer.Send("begin");

        Assert.Equal((false, true, false), await sent.Task.Soon());
        Assert.Equal(516, (await peer.ReceiveAsync()).Length);
        Assert.Equal(2, host.Dropped(DropReason.Budget));
    }

    [Fact]
    public async Task MaxPayloadBytes_OverLoopback_IsAWholeDatagram()
    {
        var most = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await StartAsync(SessionPort.Own, session =>
        {
            most.SetResult(session.MaxPayloadBytes);
            return Task.CompletedTask;
        });
        using var peer = host.Connect();

        peer.Send("begin");

        Assert.InRange(await most.Task.Soon(), 1400, 65_507);
    }

    [Fact]
    public async Task TryStartSession_OverACap_CallsTheOther()
    {
        var rejected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await StartAsync(SessionPort.Own, session => Task.Delay(Timeout.Infinite, session.Aborted),
            """ "Address": "127.0.0.1", "Guards": { "MaxConnections": 1 } """, () => rejected.TrySetResult(), drain: "00:00:00.1");
        using var first = host.Connect();
        using var second = host.Connect();
        first.Send("begin");
        await DatagramServerTests.Eventually(() => host.Registry.Live().Any());
        Assert.False(rejected.Task.IsCompleted);

        second.Send("begin");

        await rejected.Task.Soon();
        await DatagramServerTests.Eventually(() => host.Registry.Recent().Length == 1);
        Assert.Equal(ConnectionOutcome.Rejected, host.Registry.Recent()[0].Outcome);
    }

    [Fact]
    public async Task CountMalformed_OfAHandler_IsAReasonOfTheDrops()
    {
        await using var host = await DatagramHost.StartAsync(perch =>
        {
            perch.Services.AddSingleton(new OnDatagram((context, _) =>
            {
                context.Endpoint.CountMalformed(1);
                return ValueTask.CompletedTask;
            }));
            perch.AddProtocol<DatagramDelegate, TestOptions>("test");
        });
        using var peer = host.Connect();

        peer.Send("garbage");

        await DatagramServerTests.Eventually(() => host.Dropped(DropReason.Malformed) == 1);
    }

    private static Task<DatagramHost> StartAsync(SessionPort port, Func<DatagramSession, Task> serve, string keys = """ "Address": "127.0.0.1" """, Action? rejected = null, string drain = "00:00:05") =>
        DatagramHost.StartAsync(
            perch =>
            {
                perch.Services.AddSingleton(new OnDatagram((context, _) =>
                {
                    Assert.True(context.Endpoint.TryStartSession(context.Return, port, serve, () =>
                    {
                        rejected?.Invoke();
                        return Task.CompletedTask;
                    }));
                    return ValueTask.CompletedTask;
                }));
                perch.AddProtocol<DatagramDelegate, TestOptions>("test");
            },
            keys, drain);
}

using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Perch.Tests.Shared;

namespace Perch.Transport.Tests;

/// <summary>What is particular to a listener that serves its connections itself; the rest is the contract of all.</summary>
public sealed class ServedListenerTests : IDisposable
{
    private static readonly AsyncLocal<string?> Flowing = new();

    private readonly FakeLoggerProvider _log = new();
    private readonly LoggerFactory _loggers;
    private readonly List<Socket> _clients = [];
    private readonly LoopGroup _loops;

    public ServedListenerTests()
    {
        _loggers = new([_log]);
        _loops = new(1, _loggers);
    }

    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        _loops.Dispose();
        _loggers.Dispose();
        _log.Dispose();
    }

    [Theory]
    [InlineData(ContinuationScheduling.Inline)]
    [InlineData(ContinuationScheduling.ThreadPool)]
    public async Task Serve_RunsWhereTheSchedulingSays(ContinuationScheduling scheduling)
    {
        var served = Channel.CreateUnbounded<(string? Name, bool IsPool, string? Flow)>();
        Flowing.Value = "binder";
        await using var listener = await BindAsync(scheduling, connection =>
        {
            served.Writer.TryWrite((Thread.CurrentThread.Name, Thread.CurrentThread.IsThreadPoolThread, Flowing.Value));
            return connection.DisposeAsync().AsTask();
        });
        (string? Name, bool IsPool, string? Flow) last;
        do
        {
            await ConnectAsync(listener);
            last = await served.Reader.ReadAsync().AsTask().Soon();
            Assert.Null(last.Flow);
            // The thread that starts the listener accepts what is there by then.
        }
        while (scheduling == ContinuationScheduling.Inline && last.IsPool && _clients.Count < 100);

        Assert.Equal(scheduling == ContinuationScheduling.ThreadPool, last.IsPool);
        if (!last.IsPool) Assert.StartsWith("Perch loop", last.Name, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_Throws_ResetsThatConnectionAndServesTheNext()
    {
        var calls = 0;
        var served = new TaskCompletionSource();
        await using var listener = await BindAsync(ContinuationScheduling.Inline, connection =>
        {
            if (Interlocked.Increment(ref calls) == 1) throw new InvalidOperationException("by the test");
            served.SetResult();
            return connection.DisposeAsync().AsTask();
        });
        // The connect may see it already.
        var failure = await Assert.ThrowsAsync<SocketException>(async () => await (await ConnectAsync(listener)).ReceiveAsync(new byte[1]).Soon());
        await ConnectAsync(listener);
        await served.Task.Soon();

        Assert.Equal(SocketError.ConnectionReset, failure.SocketErrorCode);
        Assert.Single(_log.Collector.Named("ServeThrew"));
    }

    [Fact]
    public async Task AcceptAsync_OneIsOnItsWayToThePool_EndsBehindIt()
    {
        using var gate = new ManualResetEventSlim();
        var entered = new TaskCompletionSource();
        await using var listener = await BindAsync(ContinuationScheduling.ThreadPool, connection =>
        {
            entered.SetResult();
            gate.Wait();
            return connection.DisposeAsync().AsTask();
        });
        await ConnectAsync(listener);
        await entered.Task.Soon();
        await listener.UnbindAsync();
        // The listener's own loop has ended by then.
        await Assert.ThrowsAnyAsync<SocketException>(() => ConnectAsync(listener));
        var accepting = listener.AcceptAsync().AsTask();

        Assert.False(accepting.IsCompleted);
        gate.Set();
        Assert.Null(await accepting.Soon());
    }

    [Theory]
    [InlineData(ContinuationScheduling.Inline)]
    [InlineData(ContinuationScheduling.ThreadPool)]
    public async Task UnbindAsync_LoopIsBusy_QueuedConnectionsAreServedBeforeTheAcceptEnds(ContinuationScheduling scheduling)
    {
        const int Queued = 100;
        using var gate = new ManualResetEventSlim();
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var served = 0;
        await using var listener = await BindAsync(scheduling, connection =>
        {
            Interlocked.Increment(ref served);
            if (entered.TrySetResult())
                gate.Wait();
            return connection.DisposeAsync().AsTask();
        });
        var accepting = listener.AcceptAsync().AsTask();
        await ConnectAsync(listener);
        await entered.Task.Soon();
        for (var i = 0; i < Queued; i++)
            await ConnectAsync(listener);

        await listener.UnbindAsync();

        Assert.False(accepting.IsCompleted);
        gate.Set();
        Assert.Null(await accepting.Soon());
        Assert.Equal(Queued + 1, Volatile.Read(ref served));
        foreach (var client in _clients)
            Assert.Empty(await client.ReceiveToEndAsync());
    }

    private ValueTask<IConnectionListener> BindAsync(ContinuationScheduling scheduling, ConnectionDelegate serve) =>
        new DirectTransportFactory(new() { Scheduling = scheduling, Serve = serve }, _loops, _loggers).BindAsync(new IPEndPoint(IPAddress.Loopback, 0));

    private async Task<Socket> ConnectAsync(IConnectionListener listener)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        await client.ConnectAsync(listener.EndPoint);
        return client;
    }
}

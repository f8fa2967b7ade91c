using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Perch.Tests.Shared;

namespace Perch.Transport.Tests;

/// <summary>What goes wrong at accept: no descriptors for a while, and a listening socket that is no more.</summary>
public sealed class AcceptErrorTests
{
    [Fact]
    public async Task Accept_NoDescriptorsLeft_ResetsWhoWaitsAndRecovers()
    {
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["exec", typeof(StarvedServer).Assembly.Location])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var clients = new List<Socket>();
        try
        {
            var port = int.Parse((await process.StandardOutput.ReadLineAsync().Soon())!, CultureInfo.InvariantCulture);
            var (served, reset) = (0, 0);
            for (var i = 0; i < 5 * StarvedServer.Spare; i++)
            {
                var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
                clients.Add(client);
                if (await IsServedAsync(client, port)) served++;
                else reset++;
            }

            Assert.InRange(served, 1, StarvedServer.Spare);
            var (calls, broken, shorts, recovered) = await StateAsync(process);
            Assert.Equal((reset, 1, 0), (broken, shorts, recovered));
            // Two calls each 100 ms, and some for each connection; a loop that does not wait makes a million.
            Assert.InRange(calls, clients.Count, (6 * clients.Count) + (clock.ElapsedMilliseconds / 25));

            foreach (var client in clients) client.Dispose();
            var isServed = false;
            while (!isServed && clock.Elapsed < TransportHost.Limit)
            {
                using var late = new Socket(SocketType.Stream, ProtocolType.Tcp);
                isServed = await IsServedAsync(late, port);
            }

            (_, _, shorts, recovered) = await StateAsync(process);
            // They come free one after the other, so it may have been short once more.
            Assert.True(isServed && shorts >= 1 && shorts == recovered, $"{isServed} {shorts} {recovered}");
            process.StandardInput.Close();
            await process.WaitForExitAsync().Soon();
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
            if (!process.HasExited) process.Kill();
        }
    }

    [Theory]
    [InlineData(TransportKind.Direct)]
    [InlineData(TransportKind.DirectIPv6)]
    [InlineData(TransportKind.DirectUnix)]
    public async Task Accept_ListenerDies_IsToldAndBoundAgain(TransportKind kind)
    {
        using var log = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([log]);
        var changes = System.Threading.Channels.Channel.CreateUnbounded<string?>();
        Socket? socket = null;
        await using var host = await TransportHost.StartAsync(
            kind,
            options =>
            {
                var create = options.CreateBoundListenSocket;
                options.CreateBoundListenSocket = endPoint => socket = create(endPoint);
                options.ListenerChanged = reason => changes.Writer.TryWrite(reason);
            },
            loggers);
        var (server, client) = await host.ConnectAsync();
        var endPoint = host.Listener.EndPoint;
        for (var i = 0; i < 2; i++)
        {
            var accepting = host.AcceptAsync();
            socket!.Shutdown(SocketShutdown.Both);

            Assert.NotEmpty((await changes.Reader.ReadAsync().Soon())!);
            Assert.Null(await changes.Reader.ReadAsync().Soon());
            var late = await host.ConnectClientAsync();
            var next = await accepting;
            await late.SendTextAsync("late");
            Assert.Equal("late", (await next.Transport.Input.ReadUntilAsync(4)).Text());
            Assert.Equal(endPoint, host.Listener.EndPoint);
        }

        // Connections are not concerned.
        await client.SendTextAsync("here");
        Assert.Equal("here", (await server.Transport.Input.ReadUntilAsync(4)).Text());
        Assert.Equal((2, 2), (log.Collector.Named("ListenerDied").Length, log.Collector.Named("ListenerRebound").Length));
        Assert.Equal(2, log.Collector.GetSnapshot().Count(e => e.Level == LogLevel.Critical));
    }

    [Fact]
    public async Task Accept_ListenerDiesAndItsAddressIsTaken_IsBoundWhenItIsFree()
    {
        using var log = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([log]);
        var changes = System.Threading.Channels.Channel.CreateUnbounded<string?>();
        Socket? socket = null;
        Socket? thief = null;
        await using var host = await TransportHost.StartAsync(
            TransportKind.Direct,
            options =>
            {
                var create = options.CreateBoundListenSocket;
                options.CreateBoundListenSocket = endPoint =>
                {
                    if (socket is null) return socket = create(endPoint);
                    if (thief is not null) return create(endPoint);
                    var taken = create(endPoint);
                    taken.Listen();
                    thief = taken;
                    throw new SocketException((int)SocketError.AddressAlreadyInUse);
                };
                options.ListenerChanged = reason => changes.Writer.TryWrite(reason);
            },
            loggers);
        var accepting = host.AcceptAsync();
        socket!.Shutdown(SocketShutdown.Both);
        Assert.NotNull(await changes.Reader.ReadAsync().Soon());
        Assert.True(SpinWait.SpinUntil(() => thief is not null, TransportHost.Limit));
        thief!.Dispose();

        Assert.Null(await changes.Reader.ReadAsync().Soon());
        await host.ConnectClientAsync();
        await accepting;
        Assert.Equal(1, log.Collector.GetSnapshot().Count(e => e.Level == LogLevel.Critical));
    }

    [Fact]
    public async Task UnbindAsync_ListenerIsDead_Ends()
    {
        Socket? socket = null;
        var died = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await TransportHost.StartAsync(TransportKind.Direct, options =>
        {
            var create = options.CreateBoundListenSocket;
            options.CreateBoundListenSocket = endPoint => socket is null ? socket = create(endPoint) : throw new SocketException((int)SocketError.AddressAlreadyInUse);
            options.ListenerChanged = _ => died.TrySetResult();
        });
        var accepting = host.Listener.AcceptAsync().Soon();
        socket!.Shutdown(SocketShutdown.Both);
        await died.Task.Soon();

        await host.Listener.UnbindAsync();
        Assert.Null(await accepting);
        Assert.Equal(0, host.Loops!.SourceCount);
    }

    /// <returns>False where it was reset; whoever is left waiting fails the test.</returns>
    private static async Task<bool> IsServedAsync(Socket client, int port)
    {
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port);
            await client.SendTextAsync("x");
            return await client.ReceiveTextAsync(1) == "x";
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task<(long Calls, int Broken, int Shorts, int Recovered)> StateAsync(Process process)
    {
        await process.StandardInput.WriteLineAsync();
        var words = (await process.StandardOutput.ReadLineAsync().Soon())!.Split(' ');
        int Word(int index) => int.Parse(words[index], CultureInfo.InvariantCulture);
        return (Word(0), Word(1), Word(2), Word(3));
    }
}

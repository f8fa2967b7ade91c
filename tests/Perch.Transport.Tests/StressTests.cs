using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

/// <summary>
/// Connections that do whatever comes: sizes, pauses, half-closes, aborts and cancellations by chance. What is echoed is what was
/// sent, byte for byte; whoever was not cut gets all of it; nothing hangs; nothing is left. PERCH_STRESS_SECONDS has it go on for longer.
/// </summary>
public sealed class StressTests
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("PERCH_STRESS_SECONDS"), CultureInfo.InvariantCulture, out var seconds) ? seconds : 3);

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Echo_AtRandom_EveryByteIsRight(TransportKind kind)
    {
        var host = await TransportHost.StartAsync(kind, options => options.LingerTime = TimeSpan.FromMilliseconds(200));
        var handlers = new ConcurrentBag<Task>();
        var accepting = Task.Run(async () =>
        {
            while (await host.Listener.AcceptAsync() is { } connection) handlers.Add(Task.Run(() => ServeAsync(connection, kind)));
        });
        var clock = Stopwatch.StartNew();
        var counts = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(async () =>
        {
            var random = new Random((int)kind * 1000 + i);
            var count = 0;
            while (clock.Elapsed < Duration)
            {
                await BeAClientAsync(host, random);
                count++;
            }

            return count;
        }))).WaitAsync(Duration + TransportHost.Limit);

        await host.Listener.UnbindAsync();
        await accepting.Soon();
        await Task.WhenAll(handlers).Soon();
        Assert.True(counts.Sum() > 100, $"Only {counts.Sum()} connections were made.");
        Assert.Equal(0, host.Loops!.SourceCount);
        await host.DisposeAsync();
    }

    private static async Task ServeAsync(ConnectionContext connection, TransportKind kind)
    {
        var random = new Random(connection.ConnectionId.GetHashCode(StringComparison.Ordinal));
        var (input, output) = (connection.Transport.Input, connection.Transport.Output);
        var isLively = random.Next(2) == 0;
        using var stop = new CancellationTokenSource();
        var disturbing = isLively ? DisturbAsync(connection.Transport, stop.Token) : Task.CompletedTask;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync();
                // Often only a part, so that the rest is seen again.
                var take = random.Next(4) == 0 ? random.NextInt64(0, read.Buffer.Length + 1) : read.Buffer.Length;
                foreach (var segment in read.Buffer.Slice(0, take)) await output.WriteAsync(segment);
                var isEnd = read.IsCompleted && take == read.Buffer.Length;
                var consumed = read.Buffer.GetPosition(take);
                if (random.Next(2) == 0) input.AdvanceTo(consumed);
                else input.AdvanceTo(consumed, take == 0 && !read.IsCompleted ? read.Buffer.End : consumed);
                if (isEnd) break;
                if (random.Next(50) == 0) await Task.Yield();
                // To a Unix socket that looks like an end.
                if (kind != TransportKind.DirectUnix && random.Next(2000) == 0) connection.Abort();
            }
        }
        catch (Exception exception) when (exception is ConnectionResetException or ConnectionAbortedException)
        {
            // The client, or we, cut it.
        }
        finally
        {
            await stop.CancelAsync();
            await disturbing;
            await connection.DisposeAsync();
        }
    }

    /// <summary>Another thread that cancels what waits.</summary>
    private static async Task DisturbAsync(IDuplexPipe transport, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            transport.Input.CancelPendingRead();
            transport.Output.CancelPendingFlush();
            await Task.Delay(1, CancellationToken.None);
        }
    }

    private static async Task BeAClientAsync(TransportHost host, Random random)
    {
        var endPoint = host.Listener.EndPoint;
        using var client = new Socket(endPoint.AddressFamily, SocketType.Stream, endPoint is System.Net.IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        var sent = PeerExtensions.Pattern(random.Next(5) switch { 0 => random.Next(1, 10), 1 => random.Next(1_000_000), _ => random.Next(1, 60_000) }, random.Next());
        var cut = random.Next(8) == 0 ? random.Next(sent.Length + 1) : -1;
        // A reset is one segment, and not taken where bytes before it are missing (RFC 5961, section 3): then only the next segment, which
        // may never be sent, finds out.
        if (endPoint is System.Net.IPEndPoint) KeepAlive(client);
        // A small window is slow.
        if (sent.Length < 60_000 && random.Next(3) == 0) client.ReceiveBufferSize = 8192;
        var piece = random.Next(3) == 0 ? 1 + random.Next(200) : 1 + random.Next(70_000);
        try
        {
            await client.ConnectAsync(endPoint);
            var sending = SendAsync(client, sent, piece);
            var received = new byte[sent.Length + 1];
            var have = 0;
            while (await client.ReceiveAsync(received.AsMemory(have)).Soon() is > 0 and var got)
            {
                Assert.True(received.AsSpan(have, got).SequenceEqual(sent.AsSpan(have, Math.Min(got, sent.Length - have))), "Other bytes came back.");
                have += got;
                if (cut >= 0 && have >= cut)
                {
                    if (random.Next(2) == 0) client.LingerState = new(true, 0);
                    client.Close();
                    await sending;
                    return;
                }
            }

            // A reset is told once, to whoever asks first: to the sender, and then it looks like an end to the receiver.
            if (await sending) Assert.Equal(sent.Length, have);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Cut by the server, or by ourselves.
        }
    }

    private static void KeepAlive(Socket client)
    {
        client.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, optionValue: true);
        client.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 1);
        client.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
    }

    /// <returns>Whether all was sent.</returns>
    private static async Task<bool> SendAsync(Socket client, byte[] sent, int piece)
    {
        try
        {
            for (var at = 0; at < sent.Length;) at += await client.SendAsync(sent.AsMemory(at, Math.Min(piece, sent.Length - at))).Soon();
            client.Shutdown(SocketShutdown.Send);
            return true;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Perch.Benchmarks;

/// <summary>Sends lines to a record endpoint and counts what is acknowledged; each answer has to be <c>OK</c>.</summary>
internal sealed class RecordLoad(IPEndPoint server, int connections, int depth)
{
    private long _acknowledged;
    private volatile bool _stopping;

    /// <returns>Acknowledged lines a second.</returns>
    public async Task<double> RunAsync(TimeSpan span)
    {
        var running = Enumerable.Range(0, connections).Select(_ => Task.Run(ServeAsync)).ToArray();
        await Task.Delay(TimeSpan.FromSeconds(0.5));
        var (before, started) = (Interlocked.Read(ref _acknowledged), Stopwatch.GetTimestamp());
        await Task.Delay(span);
        var rate = (Interlocked.Read(ref _acknowledged) - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
        _stopping = true;
        await Task.WhenAll(running);
        return rate;
    }

    private async Task ServeAsync()
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server);
        var line = new string('x', BareSqlite.MessageBytes) + "\n";
        var burst = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(line, depth)));
        var buffer = new byte[64 * 1024];
        // Half of the lines that may be under way are sent at a time, so that the server is never without.
        var unacknowledged = 0;
        var half = Math.Max(1, depth / 2);
        var part = burst.AsMemory(0, half * line.Length);
        while (!_stopping || unacknowledged > 0)
        {
            while (!_stopping && unacknowledged + half <= depth)
            {
                for (var rest = (ReadOnlyMemory<byte>)part; rest.Length > 0;) rest = rest[await socket.SendAsync(rest)..];
                unacknowledged += half;
            }

            var length = await socket.ReceiveAsync(buffer);
            if (length == 0) throw new UnreachableException("The server closed the connection.");
            var answers = buffer.AsSpan(0, length);
            if (answers.Contains((byte)'E')) throw new UnreachableException(Encoding.UTF8.GetString(answers));
            var count = answers.Count((byte)'\n');
            unacknowledged -= count;
            Interlocked.Add(ref _acknowledged, count);
        }
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Benchmarks;

/// <summary>Keeps a fixed number of messages under way on each connection, and checks every byte that comes back.</summary>
internal sealed class LoadGenerator(IPEndPoint server, BenchCase load) : ILoadGenerator
{
    /// <summary>A prime, so that a lost or doubled message shifts the pattern.</summary>
    private const int Period = 251;

    private static readonly byte[] Pattern = [.. Enumerable.Range(0, 1 << 20).Select(i => (byte)(i % Period))];

    private readonly List<Socket> _sockets = [];
    private long _messages;
    private volatile bool _stopping;
    private Task _running = Task.CompletedTask;

    public long Messages => Interlocked.Read(ref _messages);

    public async Task StartAsync()
    {
        for (var i = 0; i < load.Connections; i++)
        {
            var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(server);
            _sockets.Add(socket);
        }

        _running = Task.WhenAll(_sockets.Select(socket => load.Echo ? EchoAsync(socket) : SendAsync(socket)));
    }

    public async Task StopAsync()
    {
        _stopping = true;
        await _running;
    }

    public void Dispose() => _sockets.ForEach(socket => socket.Dispose());

    private async Task EchoAsync(Socket socket)
    {
        var buffer = new byte[256 * 1024];
        long sent = 0, received = 0;
        for (var i = 0; i < load.Depth; i++) sent += await SendMessageAsync(socket, sent);
        while (received < sent)
        {
            var length = await socket.ReceiveAsync(buffer);
            if (length == 0) throw new UnreachableException("The server closed the connection.");
            if (!buffer.AsSpan(0, length).SequenceEqual(PatternAt(received, length).Span)) throw new UnreachableException("The server sent other bytes back.");
            var before = received / load.Bytes;
            received += length;
            var complete = (int)((received / load.Bytes) - before);
            Interlocked.Add(ref _messages, complete);
            for (var i = 0; i < complete && !_stopping; i++) sent += await SendMessageAsync(socket, sent);
        }
    }

    private async Task SendAsync(Socket socket)
    {
        for (long sent = 0; !_stopping;)
        {
            sent += await SendMessageAsync(socket, sent);
            Interlocked.Increment(ref _messages);
        }
    }

    private async Task<int> SendMessageAsync(Socket socket, long position)
    {
        for (var message = PatternAt(position, load.Bytes); message.Length > 0;) message = message[await socket.SendAsync(message)..];
        return load.Bytes;
    }

    private static ReadOnlyMemory<byte> PatternAt(long position, int length) => Pattern.AsMemory((int)(position % Period), length);
}

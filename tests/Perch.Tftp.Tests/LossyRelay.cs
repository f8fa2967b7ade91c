using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Tftp.Tests;

/// <summary>
/// A network between a client and a TFTP server that loses, doubles, delays and reorders, each way, by a seed. It knows TFTP as
/// much as a NAT does: what comes from another port of the server leaves from another port of the relay.
/// </summary>
internal sealed class LossyRelay : IAsyncDisposable
{
    private readonly IPEndPoint _server;
    private readonly Random _random;
    private readonly double _loss;
    private readonly double _doubling;
    private readonly TimeSpan _delay;
    private readonly TimeSpan _jitter;
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentBag<Task> _tasks = [];
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly PriorityQueue<(Socket Through, byte[] Datagram, EndPoint To), (long Due, long Number)> _flying = new();
    private readonly SemaphoreSlim _added = new(0);
    private readonly Socket _front;
    private long _number;

    /// <param name="server">The endpoint.</param>
    /// <param name="seed">Of what happens to which datagram.</param>
    /// <param name="loss">How many of them are lost, of 1.</param>
    /// <param name="doubling">How many come twice.</param>
    /// <param name="delay">How long each takes.</param>
    /// <param name="jitter">Up to how much longer some take: those behind overtake them.</param>
    public LossyRelay(IPEndPoint server, int seed, double loss, double doubling, TimeSpan delay, TimeSpan jitter)
    {
        (_server, _random, _loss, _doubling, _delay, _jitter) = (server, new(seed), loss, doubling, delay, jitter);
        _front = Open();
        _tasks.Add(ServeAsync());
        _tasks.Add(FlyAsync());
    }

    /// <summary>What the client takes for the server.</summary>
    public IPEndPoint EndPoint => (IPEndPoint)_front.LocalEndPoint!;

    public int Lost { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        foreach (var socket in _sockets) socket.Dispose();
        await Task.WhenAll(_tasks);
        _stopping.Dispose();
        _added.Dispose();
    }

    private Socket Open()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _sockets.Add(socket);
        return socket;
    }

    /// <summary>From clients to the endpoint; each client has a socket towards the server.</summary>
    private async Task ServeAsync()
    {
        var backs = new Dictionary<EndPoint, Socket>();
        var buffer = new byte[65536];
        while (await ReceiveAsync(_front, buffer) is { } received)
        {
            if (!backs.TryGetValue(received.RemoteEndPoint, out var back))
            {
                backs[received.RemoteEndPoint] = back = Open();
                _tasks.Add(BackAsync(back, received.RemoteEndPoint));
            }

            Pass(back, buffer.AsSpan(0, received.ReceivedBytes), _server);
        }
    }

    /// <summary>From the server to one client; each port of the server has a socket towards the client.</summary>
    private async Task BackAsync(Socket back, EndPoint client)
    {
        var fronts = new Dictionary<EndPoint, Socket> { [_server] = _front };
        var buffer = new byte[65536];
        while (await ReceiveAsync(back, buffer) is { } received)
        {
            if (!fronts.TryGetValue(received.RemoteEndPoint, out var front))
            {
                fronts[received.RemoteEndPoint] = front = Open();
                _tasks.Add(ForthAsync(front, back, received.RemoteEndPoint));
            }

            Pass(front, buffer.AsSpan(0, received.ReceivedBytes), client);
        }
    }

    /// <summary>From one client to one port of the server.</summary>
    private async Task ForthAsync(Socket front, Socket back, EndPoint transfer)
    {
        var buffer = new byte[65536];
        while (await ReceiveAsync(front, buffer) is { } received) Pass(back, buffer.AsSpan(0, received.ReceivedBytes), transfer);
    }

    private async Task<SocketReceiveFromResult?> ReceiveAsync(Socket socket, byte[] buffer)
    {
        try
        {
            return await socket.ReceiveFromAsync(buffer.AsMemory(), SocketFlags.None, _server, _stopping.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    private void Pass(Socket through, ReadOnlySpan<byte> datagram, EndPoint to)
    {
        var copy = datagram.ToArray();
        lock (_lock)
        {
            if (_random.NextDouble() < _loss)
            {
                Lost++;
                return;
            }

            for (var copies = _random.NextDouble() < _doubling ? 2 : 1; copies > 0; copies--)
            {
                // In the order of their sending but for those that take longer.
                var delay = _delay + (_random.Next(10) == 0 ? _jitter * _random.NextDouble() : TimeSpan.Zero);
                _flying.Enqueue((through, copy, to), (Stopwatch.GetTimestamp() + (long)(delay.TotalSeconds * Stopwatch.Frequency), _number++));
            }
        }

        _added.Release();
    }

    private async Task FlyAsync()
    {
        try
        {
            while (true)
            {
                TimeSpan? wait = null;
                lock (_lock)
                {
                    while (_flying.TryPeek(out var first, out var due))
                    {
                        var now = Stopwatch.GetTimestamp();
                        if (due.Due > now)
                        {
                            wait = Stopwatch.GetElapsedTime(now, due.Due);
                            break;
                        }

                        _flying.Dequeue();
                        Send(first.Through, first.Datagram, first.To);
                    }
                }

                // A new one may be due before.
                await _added.WaitAsync(wait ?? Timeout.InfiniteTimeSpan, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The network is gone.
        }
    }

    private static void Send(Socket through, byte[] datagram, EndPoint to)
    {
        try
        {
            through.SendTo(datagram, to);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Lost.
        }
    }
}

using System.Net;
using System.Net.Sockets;

namespace Perch.Benchmarks;

/// <summary>
/// One thread that keeps a datagram under way on each socket: it takes the answers in turn, checks them to the byte and
/// sends the next. One that is lost is sent again, and not counted.
/// </summary>
internal sealed class UdpLoadGenerator(IPEndPoint server, BenchCase load) : ILoadGenerator
{
    private const int LostAfterMilliseconds = 200;

    private readonly List<Socket> _sockets = [];
    private long _messages;
    private volatile bool _stopping;
    private Task _running = Task.CompletedTask;

    public long Messages => Interlocked.Read(ref _messages);

    public Task StartAsync()
    {
        for (var i = 0; i < load.Connections; i++)
        {
            var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = LostAfterMilliseconds };
            socket.Connect(server);
            _sockets.Add(socket);
        }

        _running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return Task.CompletedTask;
    }

    public async Task StopAsync()
    {
        _stopping = true;
        await _running;
    }

    public void Dispose() => _sockets.ForEach(socket => socket.Dispose());

    private void Run()
    {
        var sent = new byte[load.Bytes];
        new Random(1).NextBytes(sent);
        var received = new byte[64 * 1024];
        foreach (var socket in _sockets) socket.Send(sent);
        while (!_stopping)
        {
            foreach (var socket in _sockets)
            {
                try
                {
                    var length = socket.Receive(received);
                    if (!received.AsSpan(0, length).SequenceEqual(sent)) throw new InvalidOperationException("The server sent other bytes back.");
                    Interlocked.Increment(ref _messages);
                }
                catch (SocketException exception) when (exception.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
                {
                    // Lost.
                }

                socket.Send(sent);
            }
        }
    }
}

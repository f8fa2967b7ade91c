using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Benchmarks;

/// <summary>
/// A client of an echo that does something else on each connection: messages small and big, ends and half-ends, resets at any
/// moment. Whatever comes back has to be what was sent; whoever does not reset has to get all of it.
/// </summary>
internal sealed class SoakClient(IPEndPoint server, int seed)
{
    private const int MostBytes = 4 * 1024 * 1024;

    private const int SmallBytes = 2000;

    /// <summary>Addresses of 127/8, so that ports in TIME_WAIT never run out.</summary>
    private const int Addresses = 200;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static readonly byte[] Noise = MakeNoise();

    private readonly Random _random = new(seed);

    public long Connections { get; private set; }

    public long Bytes { get; private set; }

    /// <exception cref="InvalidOperationException">The server did something else.</exception>
    public async Task RunAsync(TimeSpan span)
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < span;)
        {
            var kind = _random.Next(7);
            using var limit = new CancellationTokenSource(Limit);
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.Bind(new IPEndPoint(new IPAddress([127, 0, 1, (byte)_random.Next(1, Addresses)]), 0));
                await socket.ConnectAsync(server, limit.Token);
                await TalkAsync(socket, kind, limit.Token);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                throw new InvalidOperationException($"Connection of kind {kind} failed: {exception.Message}", exception);
            }

            Connections++;
            await Task.Delay(_random.Next(20), CancellationToken.None);
        }
    }

    private async Task TalkAsync(Socket socket, int kind, CancellationToken cancellationToken)
    {
        switch (kind)
        {
            case 0:
                await AskAsync(socket, _random.Next(1, 50), cancellationToken);
                break;
            case 1:
                await StreamAsync(socket, _random.Next(64 * 1024, MostBytes), cancellationToken);
                break;
            case 2:
                await StreamAsync(socket, _random.Next(0, SmallBytes), cancellationToken);
                break;
            case 3:
                await AskAsync(socket, _random.Next(0, 5), cancellationToken);
                Reset(socket);
                break;
            case 4:
                await FloodAndResetAsync(socket, cancellationToken);
                break;
            case 5:
                await Task.Delay(_random.Next(500), cancellationToken);
                await AskAsync(socket, 2, cancellationToken);
                break;
            default:
                // Says nothing, and goes.
                if (_random.Next(2) == 0) Reset(socket);
                break;
        }
    }

    /// <summary>One message after the other, each of which comes back.</summary>
    private async Task AskAsync(Socket socket, int messages, CancellationToken cancellationToken)
    {
        for (var i = 0; i < messages; i++)
        {
            var message = Some(_random.Next(1, SmallBytes));
            await SendAsync(socket, message, cancellationToken);
            await ExpectAsync(socket, message, cancellationToken);
        }
    }

    /// <summary>So many bytes and the half-close, while they come back; then the server's end.</summary>
    private async Task StreamAsync(Socket socket, int length, CancellationToken cancellationToken)
    {
        var message = Some(length);
        var sending = SendAsync(socket, message, cancellationToken);
        await ExpectAsync(socket, message, cancellationToken);
        await sending;
        socket.Shutdown(SocketShutdown.Send);
        if (await socket.ReceiveAsync(new byte[1], cancellationToken) != 0) throw new InvalidOperationException("The server sent more than it got.");
    }

    /// <summary>More than the buffers take, without a look at what comes back, or at a part of it; then a reset, while the server waits to send.</summary>
    private async Task FloodAndResetAsync(Socket socket, CancellationToken cancellationToken)
    {
        var message = Some(MostBytes);
        var sending = SendAsync(socket, message, cancellationToken);
        if (_random.Next(2) == 0) await ExpectAsync(socket, message[.._random.Next(1, 256 * 1024)], cancellationToken);
        await Task.WhenAny(sending, Task.Delay(_random.Next(50), cancellationToken));
        Reset(socket);
        try
        {
            await sending;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // We ended it.
        }
    }

    private async Task SendAsync(Socket socket, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        while (message.Length > 0)
        {
            var part = message[..Math.Min(message.Length, 64 * 1024)];
            message = message[await socket.SendAsync(part, cancellationToken)..];
        }
    }

    private async Task ExpectAsync(Socket socket, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var buffer = new byte[Math.Min(Math.Max(message.Length, 1), 64 * 1024)];
        while (message.Length > 0)
        {
            var length = await socket.ReceiveAsync(buffer.AsMemory(0, Math.Min(buffer.Length, message.Length)), cancellationToken);
            if (length == 0) throw new InvalidOperationException($"The server closed a connection with {message.Length} bytes to come.");
            if (!buffer.AsSpan(0, length).SequenceEqual(message.Span[..length])) throw new InvalidOperationException("The server sent other bytes back.");
            message = message[length..];
            Bytes += length;
        }
    }

    private ReadOnlyMemory<byte> Some(int length) => Noise.AsMemory(_random.Next(Noise.Length - length), length);

    private static void Reset(Socket socket) => socket.Close(0);

    private static byte[] MakeNoise()
    {
        var noise = new byte[2 * MostBytes];
        new Random(1).NextBytes(noise);
        return noise;
    }
}

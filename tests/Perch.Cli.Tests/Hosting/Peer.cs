using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Perch.Cli.Tests.Hosting;

/// <summary>
/// A server that does to each connection what a test says. It accepts on a thread of its own: tests that run side by side keep the
/// pool's busy, and a load is measured within a moment.
/// </summary>
internal sealed class Peer : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly CancellationTokenSource _ending = new();
    private readonly Func<NetworkStream, CancellationToken, Task> _serve;
    private readonly List<Task> _serving = [];
    private readonly Task _accepting;

    /// <param name="serve">Serves one connection.</param>
    /// <param name="bound">From <see cref="Bound"/>; null binds a port.</param>
    public Peer(Func<NetworkStream, CancellationToken, Task> serve, Socket? bound = null)
    {
        _serve = serve;
        _listener = bound ?? Bound();
        _listener.Listen();
        _accepting = OnThread(Accept);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public string Address => $"127.0.0.1:{Port}";

    public int Connections => _serving.Count;

    /// <summary>A socket that has a port and refuses connections, until a peer listens on it.</summary>
    public static Socket Bound()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    /// <summary>Sends back what comes.</summary>
    public static Peer Echo() => Blocking(static stream => stream.CopyTo(stream));

    /// <summary>With a thread for each connection: who is measured for a moment must not wait until the pool has one.</summary>
    public static Peer Blocking(Action<NetworkStream> serve) => new(async (stream, token) =>
    {
        await using var ending = token.UnsafeRegister(static stream => ((NetworkStream)stream!).Dispose(), stream);
        await OnThread(() => serve(stream));
    });

    /// <summary>Sends this and closes in order.</summary>
    public static Peer Saying(string text) => Saying(Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="Saying(string)"/>
    public static Peer Saying(byte[] bytes) => new(async (stream, token) =>
    {
        await stream.WriteAsync(bytes, token);
        stream.Socket.Shutdown(SocketShutdown.Send);
        await stream.CopyToAsync(Stream.Null, token);
    });

    /// <summary>Takes everything and says nothing.</summary>
    public static Peer Silent() => new(static (stream, token) => Task.Delay(Timeout.Infinite, token));

    /// <summary>Runs what blocks.</summary>
    public static Task OnThread(Action action) => Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public static void Reset(NetworkStream stream)
    {
        stream.Socket.LingerState = new(enable: true, seconds: 0);
        stream.Socket.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_serving);
        _ending.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true) _serving.Add(ServeAsync(_listener.Accept()));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            await _serve(stream, _ending.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The client left, or the test is over.
        }
    }
}

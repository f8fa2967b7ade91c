using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Perch.FunctionalTests.Hosting;

/// <summary>A client on a plain socket; every wait ends after <see cref="Poll.Deadline"/>.</summary>
internal sealed class Client : IDisposable
{
    private readonly Socket _socket;

    private Client(Socket socket) => _socket = socket;

    /// <summary>As the server writes it in <c>peer</c>.</summary>
    public string LocalAddress => _socket.LocalEndPoint!.ToString()!;

    public static Task<Client> ConnectAsync(int port, int? receiveBuffer = null) =>
        ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }, receiveBuffer);

    public static Task<Client> ConnectAsync(string unixSocket) =>
        ConnectAsync(new UnixDomainSocketEndPoint(unixSocket), new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified), null);

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(Poll.Deadline);
        while (!bytes.IsEmpty) bytes = bytes[await _socket.SendAsync(bytes, limit.Token)..];
    }

    /// <summary>Exactly so many bytes, or fewer where the server closes before.</summary>
    public async Task<byte[]> ReceiveAsync(int count)
    {
        using var limit = new CancellationTokenSource(Poll.Deadline);
        var buffer = new byte[count];
        var have = 0;
        while (have < count && await _socket.ReceiveAsync(buffer.AsMemory(have), limit.Token) is var got and > 0) have += got;
        return buffer[..have];
    }

    public async Task<string> ReceiveTextAsync(int bytes) => Encoding.UTF8.GetString(await ReceiveAsync(bytes));

    /// <summary>Until the server closes in order; a reset is a <see cref="SocketException"/>.</summary>
    public async Task<byte[]> ReceiveToEndAsync()
    {
        using var limit = new CancellationTokenSource(Poll.Deadline);
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (await _socket.ReceiveAsync(buffer.AsMemory(), limit.Token) is var got and > 0) all.Write(buffer, 0, got);
        return all.ToArray();
    }

    public async Task<string> ReceiveTextToEndAsync() => Encoding.UTF8.GetString(await ReceiveToEndAsync());

    /// <summary>Until the server closes, in order or not.</summary>
    public async Task AwaitEndAsync()
    {
        try
        {
            await ReceiveToEndAsync();
        }
        catch (SocketException)
        {
            // Either way it is over.
        }
    }

    /// <summary>Sends until it is done or the server has closed; nobody reads what comes back.</summary>
    public async Task<bool> TrySendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await SendAsync(bytes);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public async Task<string> AskAsync(string text, int answerBytes)
    {
        await SendAsync(text);
        return await ReceiveTextAsync(answerBytes);
    }

    /// <summary>Closes this side; the other may still send.</summary>
    public void EndInput() => _socket.Shutdown(SocketShutdown.Send);

    public void Reset()
    {
        _socket.LingerState = new(enable: true, seconds: 0);
        _socket.Close();
    }

    public void Dispose() => _socket.Dispose();

    private static async Task<Client> ConnectAsync(EndPoint server, Socket socket, int? receiveBuffer)
    {
        if (receiveBuffer is { } bytes) socket.ReceiveBufferSize = bytes;
        try
        {
            using var limit = new CancellationTokenSource(Poll.Deadline);
            await socket.ConnectAsync(server, limit.Token);
            return new(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

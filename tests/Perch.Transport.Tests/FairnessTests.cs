using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;

namespace Perch.Transport.Tests;

/// <summary>All on one loop: whoever has always something to do does not keep the others from theirs.</summary>
public sealed class FairnessTests
{
    [Theory]
    [InlineData("reads")]
    [InlineData("writes")]
    [InlineData("files")]
    public async Task Loop_BesideBusyConnections_ServesTheQuietOne(string work)
    {
        using var loops = new LoopGroup(1, NullLoggerFactory.Instance);
        await using var listener = await new DirectTransportFactory(new(), loops, NullLoggerFactory.Instance).BindAsync(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        var handlers = new List<Task>();
        var clients = new List<Socket>();
        for (var i = 0; i < 4; i++)
        {
            var client = await ConnectAsync(listener, clients);
            var busy = (await listener.AcceptAsync().Soon())!;
            handlers.Add(work switch { "reads" => ReadForeverAsync(busy), "writes" => WriteForeverAsync(busy), _ => SendFileForeverAsync(busy) });
            handlers.Add(Task.Run(() => (work == "reads" ? (Action<Socket>)SendForever : ReceiveForever)(client)));
        }

        var quiet = await ConnectAsync(listener, clients);
        handlers.Add(EchoAsync((await listener.AcceptAsync().Soon())!));
        for (var i = 0; i < 100; i++)
        {
            await quiet.SendTextAsync("ping");
            Assert.Equal("ping", await quiet.ReceiveTextAsync(4));
        }

        clients.ForEach(client => client.Dispose());
        await Task.WhenAll(handlers).Soon();
    }

    private static async Task<Socket> ConnectAsync(IConnectionListener listener, List<Socket> clients)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        clients.Add(client);
        await client.ConnectAsync(listener.EndPoint);
        return client;
    }

    private static async Task ReadForeverAsync(ConnectionContext connection)
    {
        try
        {
            while (await connection.Transport.Input.ReadAsync() is { IsCompleted: false } read) connection.Transport.Input.AdvanceTo(read.Buffer.End);
        }
        catch (ConnectionResetException)
        {
            // The test is over.
        }

        await connection.DisposeAsync();
    }

    private static async Task WriteForeverAsync(ConnectionContext connection)
    {
        var bytes = new byte[1000];
        while (await connection.Transport.Output.WriteAsync(bytes) is { IsCompleted: false })
        {
        }

        await connection.DisposeAsync();
    }

    private static async Task SendFileForeverAsync(ConnectionContext connection)
    {
        var path = Path.GetTempFileName();
        await File.WriteAllBytesAsync(path, new byte[4_000_000]);
        using (var file = File.OpenHandle(path))
        {
            File.Delete(path);
            var feature = connection.Features.Get<ISendFileFeature>()!;
            while (await feature.SendFileAsync(file, 0, 4_000_000) == 4_000_000)
            {
            }
        }

        await connection.DisposeAsync();
    }

    private static async Task EchoAsync(ConnectionContext connection)
    {
        while (await connection.Transport.Input.ReadAsync() is { IsCompleted: false } read)
        {
            foreach (var segment in read.Buffer) await connection.Transport.Output.WriteAsync(segment);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
        }

        await connection.DisposeAsync();
    }

    private static void SendForever(Socket client)
    {
        var bytes = new byte[256 * 1024];
        try
        {
            while (client.Send(bytes) > 0)
            {
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static void ReceiveForever(Socket client)
    {
        var bytes = new byte[256 * 1024];
        try
        {
            while (client.Receive(bytes) > 0)
            {
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}

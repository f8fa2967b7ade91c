using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Xunit.Abstractions;

namespace Perch.Transport.Tests;

/// <summary>What a connection costs that waits for its peer: the managed heap, over many of them.</summary>
[Collection(nameof(IdleCostTests))]
public sealed class IdleCostTests(ITestOutputHelper output)
{
    private const int Count = 2000;

    /// <summary>With a read that waits, and the state machine of the handler that awaits it. Kestrel's own socket transport has several times as much.</summary>
    private const long MostBytes = 1500;

    [Fact]
    public async Task Connection_ThatWaitsForItsPeer_HoldsLittleMemory()
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct);
        var (first, _) = await host.ConnectAsync();
        var reading = ReadAsync(first);
        // The clients are in this process too: they are there before the first look.
        var clients = new List<Socket>(Count);
        for (var i = 0; i < Count; i++) clients.Add(new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        var servers = new ConnectionContext[Count];
        var reads = new Task[Count];
        var before = 0L;
        for (var i = 0; i < Count; i++)
        {
            // A blocking connect leaves nothing behind but its end points.
            if (i == Count / 2) before = GC.GetTotalMemory(forceFullCollection: true);
            clients[i].Connect(host.Listener.EndPoint);
            servers[i] = (await host.Listener.AcceptAsync().Soon())!;
            reads[i] = ReadAsync(servers[i]);
        }

        var perConnection = (GC.GetTotalMemory(forceFullCollection: true) - before) / (Count / 2);
        output.WriteLine($"{perConnection} bytes");
        clients.ForEach(client => client.Dispose());
        await Task.WhenAll(reads).Soon();
        first.Abort();
        await reading.Soon();
        foreach (var server in servers) await server.DisposeAsync();
        Assert.InRange(perConnection, 100, MostBytes);
    }

    private static async Task ReadAsync(ConnectionContext connection)
    {
        try
        {
            connection.Transport.Input.AdvanceTo((await connection.Transport.Input.ReadAsync()).Buffer.End);
        }
        catch (Exception exception) when (exception is ConnectionResetException or ConnectionAbortedException)
        {
            // The test is over.
        }
    }
}

[CollectionDefinition(nameof(IdleCostTests), DisableParallelization = true)]
public sealed class IdleCostCollection;

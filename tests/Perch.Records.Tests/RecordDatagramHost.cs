using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>One <c>record</c> endpoint on a UDP socket of loopback, and the writer behind it, over a store of the test's.</summary>
internal sealed class RecordDatagramHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly EndpointManager _manager;
    private readonly Socket _peer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly byte[] _buffer = new byte[65536];

    private RecordDatagramHost(ServiceProvider services, FakeStore store)
    {
        (_services, Store) = (services, store);
        _manager = services.GetRequiredService<EndpointManager>();
        Writer = services.GetRequiredService<RecordWriter>();
    }

    public FakeStore Store { get; }

    public RecordWriter Writer { get; }

    public DatagramTraffic Traffic => _services.GetRequiredService<ConnectionRegistry>().TrafficOf("test", "record").Datagrams();

    public string Peer => _peer.LocalEndPoint!.ToString()!;

    public bool HasAnswer => _peer.Poll(0, SelectMode.SelectRead);

    public static async Task<RecordDatagramHost> StartAsync(string options, RecordsOptions? records = null, TimeProvider? time = null)
    {
        var json = $$"""{ "Perch": { "Endpoints": { "test": { "Port": 0, "Transport": "Udp", "Protocol": "record", "Options": {{options}} } } } }""";
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var store = new FakeStore();
        var services = new ServiceCollection();
        services.AddSingleton<IHostEnvironment>(new NoFiles());
        services.AddLogging();
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddSingleton<IRecordStore>(store);
        services.AddSingleton(records ?? new());
        services.AddSingleton<RecordMetrics>();
        services.AddSingleton<RecordWriter>();
        services.AddPerch(new ConfigurationBuilder().AddJsonStream(stream).Build()).AddProtocol<RecordHandler, RecordDatagrams, RecordOptions>("record");
        var host = new RecordDatagramHost(services.BuildServiceProvider(), store);
        await host.Writer.StartingAsync(CancellationToken.None);
        await host._manager.StartAsync(CancellationToken.None);
        host._peer.Connect(new IPEndPoint(IPAddress.Loopback, host._manager.Status().Single().Port!.Value));
        return host;
    }

    public void Send(string text) => _peer.Send(Encoding.UTF8.GetBytes(text));

    public async Task<string> ReceiveAsync() => Encoding.UTF8.GetString(_buffer, 0, await _peer.ReceiveAsync(_buffer.AsMemory()).AsTask().Soon());

    public Task DrainAsync() => _manager.StoppingAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        Store.Release();
        await DrainAsync().Soon();
        await Writer.StopAsync(CancellationToken.None).Soon();
        await _services.DisposeAsync();
        _peer.Dispose();
    }
}

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

namespace Perch.Tests.Datagrams;

/// <summary>UDP endpoints as the host makes them, with a test's own protocols, on real sockets of loopback.</summary>
internal sealed class DatagramHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly IConfigurationRoot _configuration;
    private readonly EndpointManager _manager;

    private DatagramHost(ServiceProvider services, IConfigurationRoot configuration)
    {
        (_services, _configuration) = (services, configuration);
        _manager = services.GetRequiredService<EndpointManager>();
    }

    public ConnectionRegistry Registry => _services.GetRequiredService<ConnectionRegistry>();

    public SourcePorts SourcePorts => _services.GetRequiredService<PipelineServices>().SourcePorts;

    /// <summary>Starts one endpoint, <c>u</c>, of the protocol <c>test</c>.</summary>
    /// <param name="protocols">Registers it.</param>
    /// <param name="keys">More of its keys.</param>
    /// <param name="drain">How long a drain may take.</param>
    public static Task<DatagramHost> StartAsync(Action<PerchBuilder> protocols, string keys = """ "Address": "127.0.0.1" """, string drain = "00:00:05") =>
        StartAllAsync(protocols, $$""" "u": { "Port": 0, "Transport": "Udp", "Protocol": "test", {{keys}} } """, drain);

    public static async Task<DatagramHost> StartAllAsync(Action<PerchBuilder> protocols, string endpoints, string drain = "00:00:05")
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes($$"""{ "Perch": { "Shutdown": { "Drain": "{{drain}}" }, "Endpoints": { {{endpoints}} } } }"""));
        // In memory, where a key can be changed and the rest be read again.
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new ConfigurationBuilder().AddJsonStream(stream).Build().AsEnumerable()).Build();
        var services = new ServiceCollection();
        services.AddSingleton<IHostEnvironment>(new NoFiles());
        services.AddLogging();
        protocols(services.AddPerch(configuration));
        var host = new DatagramHost(services.BuildServiceProvider(), configuration);
        await host._manager.StartAsync(default);
        return host;
    }

    public EndpointStatus Status(string endpoint = "u") => Versions(endpoint).Single();

    /// <summary>Two while the old version of an endpoint has not ended.</summary>
    public EndpointStatus[] Versions(string endpoint = "u") => [.. _manager.Status().Where(e => e.Name == endpoint)];

    public int Port(string endpoint = "u") => Status(endpoint).Port!.Value;

    public DatagramTraffic Traffic(string endpoint = "u", string protocol = "test") => Registry.TrafficOf(endpoint, protocol).Datagrams();

    public long Dropped(DropReason reason, string endpoint = "u") => Traffic(endpoint).Dropped(reason);

    public UdpPeer Connect(string to = "127.0.0.1", string? from = null, int fromPort = 0, string endpoint = "u") =>
        new(new IPEndPoint(IPAddress.Parse(to), Port(endpoint)), from is null ? null : new IPEndPoint(IPAddress.Parse(from), fromPort));

    /// <summary>Changes keys of the configuration, as an edit of the file would.</summary>
    public void Change(params (string Key, string Value)[] keys)
    {
        foreach (var (key, value) in keys) _configuration[key] = value;
        _configuration.Reload();
    }

    public Task StopAsync() => _manager.StoppingAsync(default);

    public async ValueTask DisposeAsync()
    {
        await _manager.StoppingAsync(default).Soon();
        await _services.DisposeAsync();
    }
}

/// <summary>A client whose socket is connected: the system lets through only what comes from the address that was asked.</summary>
internal sealed class UdpPeer : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[65536];

    public UdpPeer(IPEndPoint server, IPEndPoint? local = null)
    {
        _socket = new(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        if (local is not null) _socket.Bind(local);
        _socket.Connect(server);
    }

    public IPEndPoint Local => (IPEndPoint)_socket.LocalEndPoint!;

    public void Send(ReadOnlySpan<byte> bytes) => _socket.Send(bytes);

    public void Send(string text) => Send(Encoding.UTF8.GetBytes(text));

    public async Task<byte[]> ReceiveAsync()
    {
        var length = await _socket.ReceiveAsync(_buffer.AsMemory()).AsTask().Soon();
        return _buffer[..length];
    }

    public async Task<string> ReceiveTextAsync() => Encoding.UTF8.GetString(await ReceiveAsync());

    public Task<string> AskAsync(string text)
    {
        Send(text);
        return ReceiveTextAsync();
    }

    /// <summary>Asks while there may be nobody to answer.</summary>
    public async Task<string?> TryAskAsync(string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        try
        {
            Send(text);
            return Encoding.UTF8.GetString(_buffer, 0, await _socket.ReceiveAsync(_buffer.AsMemory(), limit.Token));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Whether something waits to be received; for after an event that tells that the server is done.</summary>
    public bool HasReply => _socket.Available > 0 || _socket.Poll(0, SelectMode.SelectRead);

    public void Dispose() => _socket.Dispose();
}

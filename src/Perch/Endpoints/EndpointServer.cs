using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>
/// The Kestrel server of one TCP or Unix-socket endpoint: each has its own, so that each binds, fails and drains on its own. Over the
/// direct transport the loops call its pipeline; over sockets Kestrel does.
/// </summary>
internal sealed class EndpointServer : IEndpointServer
{
    private readonly KestrelServer _server;
    private readonly ListenSocket _socket;
    private ListenOptions? _listen;

    private EndpointServer(ListenAddress address, GuardOptions guards, EndpointHooks endpoint, EndpointServerFactory factory)
    {
        _socket = new(address, guards.KeepAlive);
        var options = new KestrelServerOptions { ApplicationServices = factory.Services };
        options.Listen(address.EndPoint, listen =>
        {
            listen.Protocols = HttpProtocols.None;
            listen.Use(_ => endpoint.Serve);
            _listen = listen;
        });
        _server = new KestrelServer(Options.Create(options), factory.CreateTransport(address, _socket, endpoint, _listen!.Build()),
            new KestrelLoggers(factory.Loggers));
        Address = address;
    }

    public ListenAddress Address { get; }

    public int? Port => _listen?.IPEndPoint?.Port;

    public int InHand => 0;

    public Task Released => Task.CompletedTask;

    public static async Task<EndpointServer> StartAsync(
        ListenAddress address, GuardOptions guards, EndpointHooks endpoint, EndpointServerFactory factory,
        CancellationToken cancellationToken)
    {
        if (address.UnixSocket is { } path) await UnixSocketFile.PrepareAsync(path, cancellationToken);
        var server = new EndpointServer(address, guards, endpoint, factory);
        try
        {
            await server._server.StartAsync(NoHttp.Instance, cancellationToken);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Apply(GuardOptions guards) => _socket.Set(guards.KeepAlive);

    public Task StopAsync(CancellationToken abort)
    {
        var stopped = _server.StopAsync(abort);
        if (Address.UnixSocket is { } path) File.Delete(path);
        return stopped;
    }

    public void Dispose() => _server.Dispose();

    /// <summary>Raw endpoints carry no HTTP; Kestrel asks for an application all the same.</summary>
    private sealed class NoHttp : IHttpApplication<object>
    {
        public static readonly NoHttp Instance = new();

        public object CreateContext(IFeatureCollection contextFeatures) => throw new NotSupportedException("A raw endpoint serves no HTTP.");

        public void DisposeContext(object context, Exception? exception)
        {
        }

        public Task ProcessRequestAsync(object context) => throw new NotSupportedException("A raw endpoint serves no HTTP.");
    }
}

/// <summary>What the servers of all endpoints are made from.</summary>
internal sealed class EndpointServerFactory(
    IServiceProvider services, IOptionsFactory<SocketTransportOptions> transportOptions, IAcceptGate gate, MemoryBudget memory,
    TimeProvider time, ILoggerFactory loggers) : IDisposable
{
    private LoopGroup? _loops;

    public IServiceProvider Services { get; } = services;

    public ILoggerFactory Loggers { get; } = loggers;

    /// <summary>Creates the event loops. Their threads start with the first endpoint that the direct transport serves.</summary>
    /// <param name="count">Number of loops; 0 for one per processor.</param>
    public void CreateLoops(int count)
    {
        var loops = new LoopGroup(count, Loggers, Services.GetService<IMemoryPoolFactory<byte>>());
        memory.Add(() => loops.BytesOccupied);
        memory.AddPool(loops.TrimFreeBlocks, loops.SetRoom);
        var blocks = Services.GetRequiredService<BlockMemoryPool>();
        memory.Add(() => blocks.BytesRented);
        memory.AddPool(blocks.Trim);
        _loops = loops;
    }

    /// <summary>A transport of its own for each endpoint, since the backlog is the transport's.</summary>
    public IConnectionListenerFactory CreateTransport(
        ListenAddress address, ListenSocket socket, EndpointHooks endpoint, ConnectionDelegate pipeline)
    {
        if (address.SocketEngine == SocketEngine.Direct && DirectTransportFactory.IsSupported)
            return new DirectTransportFactory(DirectOptions(address, socket, endpoint, pipeline), _loops!, Loggers);
        var options = transportOptions.Create(Options.DefaultName);
        options.Backlog = address.Backlog;
        options.CreateBoundListenSocket = socket.Bind;
        return new GatedListenerFactory(new SocketTransportFactory(Options.Create(options), Loggers), gate, time);
    }

    public void Dispose() => _loops?.Dispose();

    private DirectTransportOptions DirectOptions(
        ListenAddress address, ListenSocket socket, EndpointHooks endpoint, ConnectionDelegate pipeline) => new()
        {
            Name = $"endpoint {endpoint.Name}",
            Backlog = address.Backlog,
            Scheduling = address.Scheduling,
            AcceptGate = gate,
            Serve = pipeline,
            LoopHeld = endpoint.LoopHeld,
            ListenerChanged = endpoint.ListenerChanged,
            CreateBoundListenSocket = socket.Bind,
        };
}

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>
/// The Kestrel server of one TCP or Unix-socket endpoint: each has its own, so that each binds, fails and drains on its own. Over the
/// direct transport the loops call its pipeline; over sockets Kestrel does.
/// </summary>
internal sealed class EndpointServer : IEndpointServer
{
    private readonly KestrelServer _server;
    private ListenOptions? _listen;

    private EndpointServer(ListenAddress address, EndpointHooks endpoint, EndpointServerFactory factory)
    {
        var options = new KestrelServerOptions { ApplicationServices = factory.Services };
        options.Listen(address.EndPoint, listen =>
        {
            listen.Protocols = HttpProtocols.None;
            listen.Use(_ => endpoint.Serve);
            _listen = listen;
        });
        _server = new KestrelServer(Options.Create(options), factory.CreateTransport(address, endpoint, _listen!.Build()), new KestrelLoggers(factory.Loggers));
        Address = address;
    }

    public ListenAddress Address { get; }

    public int? Port => _listen?.IPEndPoint?.Port;

    public int InHand => 0;

    public Task Released => Task.CompletedTask;

    public static async Task<EndpointServer> StartAsync(
        ListenAddress address, EndpointHooks endpoint, EndpointServerFactory factory, CancellationToken cancellationToken)
    {
        if (address.UnixSocket is { } path) await UnixSocketFile.PrepareAsync(path, cancellationToken);
        var server = new EndpointServer(address, endpoint, factory);
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
    IServiceProvider services, IOptionsFactory<SocketTransportOptions> transportOptions, ILoggerFactory loggers) : IDisposable
{
    private LoopGroup? _loops;

    public IServiceProvider Services { get; } = services;

    public ILoggerFactory Loggers { get; } = loggers;

    /// <summary>Creates the event loops. Their threads start with the first endpoint that the direct transport serves.</summary>
    /// <param name="count">Number of loops; 0 for one per processor.</param>
    public void CreateLoops(int count) => _loops = new(count, Loggers, Services.GetService<IMemoryPoolFactory<byte>>());

    /// <summary>A transport of its own for each endpoint, since the backlog is the transport's.</summary>
    public IConnectionListenerFactory CreateTransport(ListenAddress address, EndpointHooks endpoint, ConnectionDelegate pipeline)
    {
        if (address.SocketEngine == SocketEngine.Direct && DirectTransportFactory.IsSupported)
            return new DirectTransportFactory(DirectOptions(address, endpoint, pipeline), _loops!, Loggers);
        var options = transportOptions.Create(Options.DefaultName);
        options.Backlog = address.Backlog;
        if (BinderOf(address) is { } bind)
            options.CreateBoundListenSocket = bind;
        return new SocketTransportFactory(Options.Create(options), Loggers);
    }

    public void Dispose() => _loops?.Dispose();

    private static DirectTransportOptions DirectOptions(ListenAddress address, EndpointHooks endpoint, ConnectionDelegate pipeline)
    {
        var options = new DirectTransportOptions
        {
            Name = $"endpoint {endpoint.Name}",
            Backlog = address.Backlog,
            Scheduling = address.Scheduling,
            Serve = pipeline,
            LoopHeld = endpoint.LoopHeld,
            ListenerChanged = endpoint.ListenerChanged,
        };
        if (BinderOf(address) is { } bind)
            options.CreateBoundListenSocket = bind;
        return options;
    }

    /// <returns>Null for the transport's own.</returns>
    private static Func<EndPoint, Socket>? BinderOf(ListenAddress address)
    {
        if (address.ReusePort)
            return SharedPort.Bind;
        return address.Mode is { } mode ? endPoint => UnixSocketFile.Bind(endPoint, mode) : null;
    }
}

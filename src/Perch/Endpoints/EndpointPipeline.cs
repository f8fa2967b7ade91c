using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Perch.Connections;
using Perch.Datagrams;

namespace Perch.Endpoints;

/// <summary>
/// One version of an endpoint's settings: its handler, in a scope of its own, and the pipeline around it. It lives until
/// it was retired and the last connection that it serves has ended.
/// </summary>
internal sealed class EndpointPipeline
{
    private readonly AsyncServiceScope _scope;
    private readonly ConnectionDelegate? _pipeline;
    private int _users = 1;

    public EndpointPipeline(EndpointConfig config, IServiceScopeFactory scopes, PipelineServices services)
    {
        Config = config;
        _scope = scopes.CreateAsyncScope();
        try
        {
            _scope.ServiceProvider.GetRequiredService<EndpointScope>().Endpoint = config;
            var isUdp = config.Listen.Transport == EndpointTransport.Udp;
            var handler = _scope.ServiceProvider.GetRequiredKeyedService<object>(config.Protocol.KeyOf(config.Listen.Transport));
            if (isUdp) Datagrams = new(config, this, handler, services);
            else _pipeline = ConnectionPipeline.Build(config, (ConnectionHandler)handler, services, LeaveAsync);
        }
        catch
        {
            _scope.Dispose();
            throw;
        }
    }

    public EndpointConfig Config { get; }

    /// <summary>What serves datagrams; null on other transports than UDP.</summary>
    public EndpointDatagrams? Datagrams { get; }

    /// <returns>False where it was retired and is gone; its successor is in place then.</returns>
    public bool TryEnter()
    {
        var users = Volatile.Read(ref _users);
        while (users > 0)
        {
            var seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users) return true;
            users = seen;
        }

        return false;
    }

    /// <summary>For one who entered: a connection leaves by itself when it has ended.</summary>
    public Task ServeAsync(ConnectionContext connection) => _pipeline!(connection);

    /// <summary>No connection enters it any more; called once.</summary>
    public ValueTask RetireAsync() => LeaveAsync();

    /// <summary>For one who entered, and must not wait.</summary>
    public void Leave()
    {
        var leaving = LeaveAsync();
        // The last one out of a retired pipeline disposes of the handler's services; what that throws is nobody's to catch.
        if (!leaving.IsCompletedSuccessfully) _ = leaving.AsTask();
    }

    private ValueTask LeaveAsync() => Interlocked.Decrement(ref _users) == 0 ? _scope.DisposeAsync() : ValueTask.CompletedTask;
}

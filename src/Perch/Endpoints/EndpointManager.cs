using System.Diagnostics.Metrics;
using System.Threading.Channels;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Perch.Configuration;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Lifecycle;

namespace Perch.Endpoints;

/// <summary>
/// Holds the endpoints to the configuration: binds them at start, follows every change of it, drains them at stop.
/// A configuration is applied whole or not at all.
/// </summary>
internal sealed partial class EndpointManager : IHostedLifecycleService, IDisposable
{
    /// <summary>What the last answers of a UDP endpoint get to leave before its port is bound anew.</summary>
    private static readonly TimeSpan ReleaseTime = TimeSpan.FromSeconds(1);

    /// <summary>What the host's other services get to stop, after the drain.</summary>
    private static readonly TimeSpan OthersShutdown = TimeSpan.FromSeconds(10);

    private readonly IConfiguration _configuration;
    private readonly PerchConfigReader _reader;
    private readonly ConfigurationStatus _status;
    private readonly IServiceScopeFactory _scopes;
    private readonly EndpointServerFactory _servers;
    private readonly PipelineServices _services;
    private readonly HostOptions _host;
    private readonly ILogger<EndpointManager> _logger;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Endpoint> _endpoints = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<Endpoint, Task> _draining = [];
    private ShutdownOptions _shutdown = new();
    private int _loops;
    private int _configuredLoops;
    private IDisposable? _subscription;
    private Task _following = Task.CompletedTask;

    public EndpointManager(
        IConfiguration configuration, PerchConfigReader reader, ConfigurationStatus status, IServiceScopeFactory scopes,
        EndpointServerFactory servers, PipelineServices services, IOptions<HostOptions> host, ILogger<EndpointManager> logger)
    {
        (_configuration, _reader, _status, _scopes, _servers, _services, _host, _logger) =
            (configuration, reader, status, scopes, servers, services, host.Value, logger);
        services.Metrics.ObserveEndpointStates(MeasureStates);
        services.Metrics.ObserveConfigurationFaults(() => status.Faults.Count);
    }

    /// <summary>Whether the stop has begun; before the host's own token where an application stops its host by hand.</summary>
    public bool IsStopping => _stopping.IsCancellationRequested;

    /// <summary>Every endpoint, those that drain too, in the order of their names.</summary>
    public IReadOnlyList<EndpointStatus> Status()
    {
        lock (_lock) return [.. _endpoints.Values.Concat(_draining.Keys).Select(e => e.Status()).OrderBy(s => s.Name, StringComparer.Ordinal)];
    }

    /// <inheritdoc cref="PerchStatus.CheckAsync"/>
    public async Task<IReadOnlyList<PlannedEndpoint>> CheckAsync()
    {
        var config = _reader.Read();
        foreach (var pipeline in await CreatePipelinesAsync([.. config.Endpoints.Values])) await pipeline.RetireAsync();
        return [.. config.Endpoints.Values.OrderBy(e => e.Name, StringComparer.Ordinal).Select(e => new PlannedEndpoint(e.Name, e.Protocol.Name, e.Listen.ToString()))];
    }

    /// <exception cref="PerchConfigurationException">The configuration has faults: nothing was bound.</exception>
    /// <exception cref="NoEndpointBoundException">There are endpoints, and none could be bound.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var config = _reader.Read();
        _loops = _configuredLoops = config.Loops;
        _servers.CreateLoops(config.Loops);
        // Before the first apply, so that no change falls between.
        _subscription = ChangeToken.OnChange(_configuration.GetReloadToken, () => _changes.Writer.TryWrite(true));
        await ApplyAsync(config, cancellationToken);
        var failed = Status();
        if (failed.Count > 0 && failed.All(e => e.State == EndpointState.Failed))
        {
            await DrainAllAsync(TimeSpan.Zero);
            throw new NoEndpointBoundException(failed);
        }

        _following = FollowAsync();
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Drains before any other service stops, so that the admin endpoint shows the drain to its end.</summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _subscription?.Dispose();
        await _stopping.CancelAsync();
        await _following;
        if (_shutdown.LameDuck > TimeSpan.Zero)
        {
            Log.LameDuck(_logger, _shutdown.LameDuck.TotalSeconds);
            await Task.Delay(_shutdown.LameDuck, _services.Time, cancellationToken);
        }

        await DrainAllAsync(_shutdown.Drain);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _subscription?.Dispose();
        _stopping.Dispose();
    }

    private async Task FollowAsync()
    {
        try
        {
            await foreach (var _ in _changes.Reader.ReadAllAsync(_stopping.Token))
            {
                try
                {
                    await ApplyAsync(_reader.Read(), _stopping.Token);
                    _status.SetRejected();
                }
                catch (PerchConfigurationException exception)
                {
                    Reject(exception.Faults);
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    Log.ApplyFailed(_logger, exception);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private void Reject(IReadOnlyList<ConfigFault> faults)
    {
        _status.SetRejected(faults);
        foreach (var fault in faults) Log.Rejected(_logger, fault.Key, fault.Problem, fault.Cure);
    }

    private async Task ApplyAsync(PerchConfig config, CancellationToken cancellationToken)
    {
        var wanted = config.Endpoints.Values.Where(e => !(_endpoints.TryGetValue(e.Name, out var current) && current.Config == e)).ToList();
        var pipelines = await CreatePipelinesAsync(wanted);
        NoteLoops(config.Loops);
        foreach (var (name, other) in EndpointNames.Differences(_configuration)) Log.NameSpelledTwice(_logger, name, other);
        _shutdown = config.Shutdown;
        _host.ShutdownTimeout = _shutdown.LameDuck + _shutdown.Drain + OthersShutdown;

        // Sockets are let go before others are bound, so that two endpoints can swap their ports.
        var released = new List<Task>();
        foreach (var (name, endpoint) in _endpoints.ToList())
        {
            if (config.Endpoints.TryGetValue(name, out var next) && next.Listen == endpoint.Config.Listen) continue;
            BeginDrain(name, endpoint);
            released.Add(endpoint.Released);
        }

        // One that is not free by then is bound by the retry.
        var allReleased = Task.WhenAll(released);
        if (!allReleased.IsCompleted) await Task.WhenAny(allReleased, Task.Delay(ReleaseTime, _services.Time, cancellationToken));

        foreach (var pipeline in pipelines)
        {
            if (_endpoints.TryGetValue(pipeline.Config.Name, out var running)) await running.ChangeAsync(pipeline);
            else await StartEndpointAsync(pipeline, cancellationToken);
        }
    }

    /// <summary>The loops of a process are fixed at its start: connections belong to their loop.</summary>
    private void NoteLoops(int loops)
    {
        if (loops == _configuredLoops)
            return;
        _configuredLoops = loops;
        if (loops != _loops)
            Log.LoopsAtNextStart(_logger, loops, _loops);
    }

    /// <summary>A handler that cannot be made is a fault of the configuration like any other: found before anything changes.</summary>
    private async Task<List<EndpointPipeline>> CreatePipelinesAsync(List<EndpointConfig> endpoints)
    {
        var pipelines = new List<EndpointPipeline>();
        var faults = new List<ConfigFault>();
        foreach (var endpoint in endpoints)
        {
            try
            {
                pipelines.Add(new EndpointPipeline(endpoint, _scopes, _services));
            }
            catch (Exception exception)
            {
                faults.Add(new($"Perch:Endpoints:{endpoint.Name}:Options", $"the handler of '{endpoint.Protocol.Name}' could not be made: {exception.Message}", "Correct the options, or the handler's registration"));
            }
        }

        if (faults.Count == 0) return pipelines;
        foreach (var pipeline in pipelines) await pipeline.RetireAsync();
        throw new PerchConfigurationException(faults);
    }

    private async Task StartEndpointAsync(EndpointPipeline pipeline, CancellationToken cancellationToken)
    {
        var endpoint = new Endpoint(pipeline, _servers, _services);
        lock (_lock) _endpoints.Add(pipeline.Config.Name, endpoint);
        await endpoint.StartAsync(cancellationToken);
    }

    private void BeginDrain(string name, Endpoint endpoint)
    {
        lock (_lock)
        {
            _endpoints.Remove(name);
            _draining.Add(endpoint, Task.CompletedTask);
        }

        var draining = DrainAsync(endpoint, _shutdown.Drain);
        lock (_lock)
        {
            if (_draining.ContainsKey(endpoint)) _draining[endpoint] = draining;
        }
    }

    private async Task DrainAsync(Endpoint endpoint, TimeSpan deadline)
    {
        await endpoint.DrainAsync(deadline);
        lock (_lock) _draining.Remove(endpoint);
        endpoint.Dispose();
    }

    private async Task DrainAllAsync(TimeSpan deadline)
    {
        _shutdown = _shutdown with { Drain = deadline };
        foreach (var (name, endpoint) in _endpoints.ToList()) BeginDrain(name, endpoint);
        Task[] draining;
        lock (_lock) draining = [.. _draining.Values];
        await Task.WhenAll(draining);
    }

    private IEnumerable<Measurement<int>> MeasureStates() =>
        from endpoint in Status()
        from state in Enum.GetValues<EndpointState>()
        select new Measurement<int>(endpoint.State == state ? 1 : 0,
            new("endpoint", endpoint.Name), new("protocol", endpoint.Protocol), new("state", state.ToString()));

    private static partial class Log
    {
        [LoggerMessage(1010, LogLevel.Error, "The configuration is not applied, the running one stays: {Key}: {Problem}. {Cure}", EventName = "ConfigurationRejected")]
        public static partial void Rejected(ILogger logger, string key, string problem, string cure);

        [LoggerMessage(1012, LogLevel.Error, "The configuration could not be applied to its end", EventName = "ConfigurationApplyFailed")]
        public static partial void ApplyFailed(ILogger logger, Exception exception);

        [LoggerMessage(EventId = 1013, Level = LogLevel.Warning, EventName = "LoopsChanged",
            Message = "Perch:Loops is {Configured} now, and applies at the next start; until then it stays {Running}")]
        public static partial void LoopsAtNextStart(ILogger logger, int configured, int running);

        [LoggerMessage(EventId = 1014, Level = LogLevel.Warning, EventName = "EndpointNameSpelledTwice", Message =
            "Endpoint '{Name}' is written '{Other}' in a later layer of the configuration (environment variables, command line); "
            + "its name stays '{Name}'")]
        public static partial void NameSpelledTwice(ILogger logger, string name, string other);

        [LoggerMessage(1011, LogLevel.Information, "Stopping: still accepting for {Seconds} s, so that load balancers notice", EventName = "LameDuckBegan")]
        public static partial void LameDuck(ILogger logger, double seconds);
    }
}

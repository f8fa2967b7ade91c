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
    private readonly AppliedConfiguration _applied;
    private readonly IServiceScopeFactory _scopes;
    private readonly EndpointServerFactory _servers;
    private readonly PipelineServices _services;
    private readonly MemoryBudget _memory;
    private readonly HostOptions _host;
    private readonly ILogger<EndpointManager> _logger;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly EndpointSet _endpoints;
    private ShutdownOptions _shutdown = new();
    private IReadOnlyList<string> _warnings = [];
    private IDisposable? _subscription;
    private Task _following = Task.CompletedTask;

    public EndpointManager(
        IConfiguration configuration, PerchConfigReader reader, ConfigurationStatus status, AppliedConfiguration applied,
        IServiceScopeFactory scopes, EndpointServerFactory servers, PipelineServices services, MemoryBudget memory,
        IOptions<HostOptions> host, ILogger<EndpointManager> logger)
    {
        (_configuration, _reader, _status, _applied, _scopes, _servers, _services, _memory, _host, _logger) =
            (configuration, reader, status, applied, scopes, servers, services, memory, host.Value, logger);
        _endpoints = new(servers, services, logger);
        services.Metrics.ObserveEndpointStates(_endpoints.MeasureStates);
        services.Metrics.ObserveConfigurationFaults(() => status.Faults.Count);
    }

    /// <summary>Whether the stop has begun; before the host's own token where an application stops its host by hand.</summary>
    public bool IsStopping => _stopping.IsCancellationRequested;

    /// <summary>Every endpoint, those that drain too, in the order of their names.</summary>
    public IReadOnlyList<EndpointStatus> Status() => _endpoints.Status();

    /// <inheritdoc cref="PerchStatus.CheckAsync"/>
    public async Task<ConfigurationPlan> CheckAsync()
    {
        var config = _reader.Read();
        foreach (var pipeline in await CreatePipelinesAsync([.. config.Endpoints.Values])) await pipeline.RetireAsync();
        var endpoints = config.Endpoints.Values.OrderBy(e => e.Name, StringComparer.Ordinal)
            .Select(e => new PlannedEndpoint(e.Name, e.Protocol.Name, e.Listen.ToString()));
        return new([.. endpoints], config.Warnings);
    }

    /// <exception cref="PerchConfigurationException">The configuration has faults: nothing was bound.</exception>
    /// <exception cref="NoEndpointBoundException">There are endpoints, and none could be bound.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var config = _reader.Read();
        _applied.Start();
        _servers.CreateLoops(config.Loops);
        // Before the first apply, so that no change falls between.
        _subscription = ChangeToken.OnChange(_configuration.GetReloadToken, () => _changes.Writer.TryWrite(true));
        await ApplyAsync(config, cancellationToken);
        var failed = Status();
        if (failed.Count > 0 && failed.All(e => e.State == EndpointState.Failed))
        {
            _endpoints.DrainTime = TimeSpan.Zero;
            await _endpoints.DrainAllAsync();
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

        await _endpoints.DrainAllAsync();
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
                    NotePendingKeys();
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

    /// <summary>Some settings are fixed at the start, such as the number of loops: connections belong to their loop.</summary>
    private void NotePendingKeys()
    {
        var (added, reverted) = _applied.Apply();
        foreach (var key in added) Log.RestartNeeded(_logger, key);
        foreach (var key in reverted) Log.RestartNotNeeded(_logger, key);
    }

    private void NoteWarnings(IReadOnlyList<string> warnings)
    {
        foreach (var warning in warnings.Except(_warnings, StringComparer.Ordinal)) Log.Warned(_logger, warning);
        _warnings = warnings;
    }

    private void Reject(IReadOnlyList<ConfigFault> faults)
    {
        _status.SetRejected(faults);
        foreach (var fault in faults) Log.Rejected(_logger, fault.Key, fault.Problem, fault.Cure);
    }

    private async Task ApplyAsync(PerchConfig config, CancellationToken cancellationToken)
    {
        var current = _endpoints.Configs();
        var wanted = config.Endpoints.Values.Where(e => !(current.TryGetValue(e.Name, out var running) && running == e)).ToList();
        var pipelines = await CreatePipelinesAsync(wanted);
        foreach (var (name, other) in EndpointNames.Differences(_configuration)) Log.NameSpelledTwice(_logger, name, other);
        NoteWarnings(config.Warnings);
        _shutdown = config.Shutdown;
        _memory.Set(config.MemoryBudget);
        _endpoints.DrainTime = _shutdown.Drain;
        _host.ShutdownTimeout = _shutdown.LameDuck + _shutdown.Drain + OthersShutdown;

        // An address that is not free by then is bound by the retry.
        var released = _endpoints.Release(config.Endpoints);
        if (!released.IsCompleted) await Task.WhenAny(released, Task.Delay(ReleaseTime, _services.Time, cancellationToken));
        foreach (var pipeline in pipelines) await _endpoints.SetAsync(pipeline, cancellationToken);
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

    private static partial class Log
    {
        [LoggerMessage(1010, LogLevel.Error, "The configuration is not applied, the running one stays: {Key}: {Problem}. {Cure}", EventName = "ConfigurationRejected")]
        public static partial void Rejected(ILogger logger, string key, string problem, string cure);

        [LoggerMessage(1012, LogLevel.Error, "The configuration could not be applied to its end", EventName = "ConfigurationApplyFailed")]
        public static partial void ApplyFailed(ILogger logger, Exception exception);

        [LoggerMessage(1013, LogLevel.Warning, "{Key} has changed and applies at the next start", EventName = "RestartNeeded")]
        public static partial void RestartNeeded(ILogger logger, string key);

        [LoggerMessage(1018, LogLevel.Warning, "{Warning}", EventName = "ConfigurationWarning")]
        public static partial void Warned(ILogger logger, string warning);

        [LoggerMessage(1017, LogLevel.Information, "{Key} is as at the start again", EventName = "RestartNotNeeded")]
        public static partial void RestartNotNeeded(ILogger logger, string key);

        [LoggerMessage(EventId = 1014, Level = LogLevel.Warning, EventName = "EndpointNameSpelledTwice", Message =
            "Endpoint '{Name}' is written '{Other}' in a later layer of the configuration (environment variables, command line); "
            + "its name stays '{Name}'")]
        public static partial void NameSpelledTwice(ILogger logger, string name, string other);

        [LoggerMessage(1011, LogLevel.Information, "Stopping: still accepting for {Seconds} s, so that load balancers notice", EventName = "LameDuckBegan")]
        public static partial void LameDuck(ILogger logger, double seconds);
    }
}

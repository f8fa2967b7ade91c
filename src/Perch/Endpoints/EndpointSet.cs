using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Perch.Connections;

namespace Perch.Endpoints;

/// <summary>
/// The endpoints at run time: the current ones, those that drain, and those that serve until the socket of their successor is bound.
/// Changed by the <see cref="EndpointManager"/>, one call at a time; a successor that is bound by a retry calls from its own thread.
/// </summary>
internal sealed partial class EndpointSet(EndpointServerFactory servers, PipelineServices services, ILogger logger)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Endpoint> _current = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Endpoint> _previous = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<Endpoint, TaskCompletionSource> _draining = [];

    /// <summary>Time for the connections of an endpoint that drains.</summary>
    public TimeSpan DrainTime { get; set; }

    /// <summary>The configuration that each endpoint has, or is to have when its socket is bound.</summary>
    public IReadOnlyDictionary<string, EndpointConfig> Configs()
    {
        lock (_lock)
            return _current.ToDictionary(entry => entry.Key, entry => entry.Value.Config, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Every endpoint, the draining ones too, in the order of their names.</summary>
    public IReadOnlyList<EndpointStatus> Status()
    {
        lock (_lock)
        {
            return [.. _current.Values.Concat(_previous.Values).Concat(_draining.Keys).Select(e => e.Status())
                .OrderBy(s => s.Name, StringComparer.Ordinal)];
        }
    }

    public IEnumerable<Measurement<int>> MeasureStates() =>
        from endpoint in Status().GroupBy(status => (status.Name, status.Protocol))
        from state in Enum.GetValues<EndpointState>()
        select new Measurement<int>(endpoint.Any(status => status.State == state) ? 1 : 0,
            new("endpoint", endpoint.Key.Name), new("protocol", endpoint.Key.Protocol), new("state", state.ToString()));

    /// <summary>
    /// Closes the sockets of the endpoints that are not in the next configuration, and of those that move if their address and a new one
    /// cannot be bound at once: two endpoints swap their ports, or the backlog changes. The connections drain in the background.
    /// </summary>
    /// <returns>Ends when the addresses can be bound again.</returns>
    public Task Release(IReadOnlyDictionary<string, EndpointConfig> next)
    {
        List<Endpoint> released;
        lock (_lock)
        {
            released = [.. _current.Values.Concat(_previous.Values).Where(endpoint => MustClose(endpoint, next))];
            foreach (var versions in (Dictionary<string, Endpoint>[])[_current, _previous])
            {
                foreach (var endpoint in released.Where(endpoint => versions.GetValueOrDefault(endpoint.Config.Name) == endpoint))
                    versions.Remove(endpoint.Config.Name);
            }

            MarkDraining(released);
        }

        foreach (var config in released.Select(endpoint => next.GetValueOrDefault(endpoint.Config.Name)).OfType<EndpointConfig>())
            Log.MovesAfterClose(logger, config.Name, config.Listen);
        StartDrains(released);
        return Task.WhenAll(released.Select(endpoint => endpoint.Released));
    }

    /// <summary>
    /// Gives an endpoint a new version: new settings if its address stays, else a new socket. The old socket is closed when the new one
    /// is bound; until then the old version serves.
    /// </summary>
    public async Task SetAsync(EndpointPipeline pipeline, CancellationToken cancellationToken)
    {
        if (TakeOfSameAddress(pipeline.Config) is { } endpoint)
        {
            await endpoint.ChangeAsync(pipeline);
            return;
        }

        endpoint = new(pipeline, servers, services, DrainPrevious);
        var serving = Replace(pipeline.Config.Name, endpoint);
        await endpoint.StartAsync(cancellationToken);
        if (serving is not null && !endpoint.IsListening)
            Log.MoveWaits(logger, endpoint.Config.Name, serving.Address, endpoint.Config.Listen);
    }

    /// <summary>Drains every endpoint, and waits for those that drain already too.</summary>
    public async Task DrainAllAsync()
    {
        List<Endpoint> endpoints;
        Task[] draining;
        lock (_lock)
        {
            endpoints = [.. _current.Values, .. _previous.Values];
            _current.Clear();
            _previous.Clear();
            MarkDraining(endpoints);
            draining = [.. _draining.Values.Select(done => done.Task)];
        }

        StartDrains(endpoints);
        await Task.WhenAll(draining);
    }

    private IEnumerable<Endpoint> Versions(string name) =>
        ((Endpoint?[])[_current.GetValueOrDefault(name), _previous.GetValueOrDefault(name)]).OfType<Endpoint>();

    private static bool MustClose(Endpoint endpoint, IReadOnlyDictionary<string, EndpointConfig> next) =>
        !next.TryGetValue(endpoint.Config.Name, out var config)
        || (endpoint.IsListening && endpoint.Config.Listen != config.Listen
            && next.Values.Any(other => other.Listen.Overlaps(endpoint.Address)));

    /// <returns>The version that has the address already, which is the current one then; null if none has.</returns>
    private Endpoint? TakeOfSameAddress(EndpointConfig config)
    {
        List<Endpoint> given = [];
        Endpoint? found;
        lock (_lock)
        {
            found = Versions(config.Name).FirstOrDefault(endpoint => endpoint.Config.Listen == config.Listen);
            // An edit that is reverted: the successor, which is not bound, is given up.
            if (found is not null && _previous.Remove(config.Name, out var previous))
            {
                given.Add(found == previous ? _current[config.Name] : previous);
                _current[config.Name] = found;
                MarkDraining(given);
            }
        }

        StartDrains(given);
        return found;
    }

    /// <returns>The version that serves until the new one is bound; null without one.</returns>
    private Endpoint? Replace(string name, Endpoint endpoint)
    {
        List<Endpoint> given = [];
        Endpoint? serving;
        lock (_lock)
        {
            serving = Versions(name).FirstOrDefault(version => version.IsListening);
            given.AddRange(Versions(name).Where(version => version != serving));
            _previous.Remove(name);
            if (serving is not null)
                _previous.Add(name, serving);
            _current[name] = endpoint;
            MarkDraining(given);
        }

        StartDrains(given);
        return serving;
    }

    /// <summary>Called by an endpoint that is bound.</summary>
    private void DrainPrevious(Endpoint bound)
    {
        List<Endpoint> given = [];
        lock (_lock)
        {
            if (_current.GetValueOrDefault(bound.Config.Name) == bound && _previous.Remove(bound.Config.Name, out var previous))
                given.Add(previous);
            MarkDraining(given);
        }

        StartDrains(given);
    }

    private void MarkDraining(List<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints)
            _draining.Add(endpoint, new(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    private void StartDrains(List<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints)
            _ = DrainAsync(endpoint);
    }

    private async Task DrainAsync(Endpoint endpoint)
    {
        Exception? fault = null;
        try
        {
            await endpoint.DrainAsync(DrainTime);
        }
        catch (Exception exception)
        {
            fault = exception;
        }

        TaskCompletionSource? done;
        lock (_lock)
            _draining.Remove(endpoint, out done);
        endpoint.Dispose();
        if (fault is null)
            done!.SetResult();
        else
            done!.SetException(fault);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1015, Level = LogLevel.Warning, EventName = "EndpointMoveWaits",
            Message = "Endpoint {Endpoint} keeps serving on {Address} until {NewAddress} can be bound")]
        public static partial void MoveWaits(ILogger logger, string endpoint, ListenAddress address, ListenAddress newAddress);

        [LoggerMessage(EventId = 1016, Level = LogLevel.Information, EventName = "EndpointMovesAfterClose", Message =
            "Endpoint {Endpoint} closes its socket before it binds {Address}, because both cannot be bound at once")]
        public static partial void MovesAfterClose(ILogger logger, string endpoint, ListenAddress address);
    }
}

using Microsoft.Extensions.Hosting;
using Perch.Configuration;
using Perch.Connections;
using Perch.Endpoints;
using Perch.Lifecycle;

namespace Perch.Diagnostics;

/// <summary>What a running host can tell about itself; a singleton.</summary>
public sealed class PerchStatus
{
    private readonly EndpointManager _endpoints;
    private readonly ConnectionRegistry _connections;
    private readonly ConfigurationStatus _configuration;
    private readonly AppliedConfiguration _applied;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly TimeProvider _time;
    private readonly ConfigurationFileWatcher? _files;

    internal PerchStatus(
        EndpointManager endpoints, ConnectionRegistry connections, ConfigurationStatus configuration, AppliedConfiguration applied,
        IHostApplicationLifetime lifetime, TimeProvider time, ConfigurationFileWatcher? files) =>
        (_endpoints, _connections, _configuration, _applied, _lifetime, _time, _files) =
            (endpoints, connections, configuration, applied, lifetime, time, files);

    /// <summary>Every endpoint, those that drain too, in the order of their names.</summary>
    public IReadOnlyList<EndpointStatus> Endpoints => _endpoints.Status();

    /// <summary>What is wrong with the configuration as it stands in the files; empty where it is the one that runs.</summary>
    public IReadOnlyList<ConfigFault> ConfigurationFaults => _configuration.Faults;

    /// <summary>
    /// The keys that were edited since the start and apply at the next one, such as <c>Perch:Records:Path</c>. A key leaves the list
    /// when the edit is reverted.
    /// </summary>
    public IReadOnlyList<string> PendingKeys => _applied.PendingKeys;

    /// <summary>Whether the host was told to stop.</summary>
    public bool IsStopping => _endpoints.IsStopping || _lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>The last 1,000 ends, newest first.</summary>
    public IReadOnlyList<EndedConnection> RecentConnections => _connections.Recent();

    /// <summary>The open connections, oldest first.</summary>
    /// <param name="limit">The most that are returned.</param>
    public IReadOnlyList<LiveConnection> Connections(int limit) =>
        [.. _connections.Live().OrderBy(c => c.StartTimestamp).Take(limit).Select(c => new LiveConnection(
            c.Id, c.Traffic.Endpoint, c.Traffic.Protocol, c.Peer, c.StartedAt, _time.GetElapsedTime(c.StartTimestamp),
            c.BytesReceived, c.BytesSent, c.Messages))];

    /// <summary>
    /// Reads the configuration's files again now, as SIGHUP asks for: without it an edit is applied once the files have stood still for
    /// half a second. Does nothing if the host was given a configuration without files.
    /// </summary>
    public void ReloadConfiguration() => _files?.ReadNow();

    /// <summary>Reads the configuration and makes every handler, as a start would, and binds nothing.</summary>
    /// <returns>What would be served.</returns>
    /// <exception cref="PerchConfigurationException">The configuration has faults.</exception>
    public Task<ConfigurationPlan> CheckAsync() => _endpoints.CheckAsync();
}

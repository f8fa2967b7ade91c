using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Datagrams;

namespace Perch.Endpoints;

/// <summary>
/// One endpoint at run time: a socket that is bound, or tried again until it can be, and the pipeline that new
/// connections enter. Started, changed and drained by the <see cref="EndpointManager"/> only, one call at a time.
/// </summary>
internal sealed partial class Endpoint : IDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(30);

    /// <summary>What an aborted connection gets to unwind before it is taken from the books.</summary>
    private static readonly TimeSpan AbortGrace = TimeSpan.FromSeconds(1);

    private readonly EndpointServerFactory _servers;
    private readonly PipelineServices _services;
    private readonly Action<Endpoint> _bound;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private volatile EndpointPipeline _pipeline;
    private volatile IEndpointServer? _server;
    private volatile Condition _condition = new(EndpointState.Binding);
    private Task _retrying = Task.CompletedTask;
    private TaskCompletionSource? _lastLeft;
    private int _served;

    /// <param name="pipeline">The first version of its settings.</param>
    /// <param name="servers">Creates its server.</param>
    /// <param name="services">Services of the host.</param>
    /// <param name="bound">Called when the socket is bound, by the start or by a retry.</param>
    public Endpoint(EndpointPipeline pipeline, EndpointServerFactory servers, PipelineServices services, Action<Endpoint> bound)
    {
        _bound = bound;
        _pipeline = pipeline;
        _servers = servers;
        _services = services;
        _logger = servers.Loggers.CreateLogger("Perch.Endpoints");
    }

    public EndpointConfig Config => _pipeline.Config;

    public bool IsListening => _condition.State == EndpointState.Listening;

    /// <summary>Its connections are told to leave; one that was not among them asks.</summary>
    public bool IsDraining => _stopping.IsCancellationRequested;

    /// <inheritdoc cref="IEndpointServer.Released"/>
    public Task Released => _server?.Released ?? Task.CompletedTask;

    /// <summary>The connections that this endpoint accepted; one of the same name that is bound anew has its own.</summary>
    private IEnumerable<ConnectionState> Connections => _services.Registry.Live().Where(c => ReferenceEquals(c.Owner, this));

    /// <summary>The address, with the port that is bound if the configuration has 0.</summary>
    public ListenAddress Address => _server?.Port is { } port ? Config.Listen with { Port = port } : Config.Listen;

    public EndpointStatus Status()
    {
        var (condition, config) = (_condition, Config);
        return new(config.Name, config.Protocol.Name, Address.ToString(), _server?.Port,
            condition.State, condition.Reason, condition.NextRetry, Count());
    }

    /// <summary>Binds the socket; where that fails the endpoint is <see cref="EndpointState.Failed"/> and goes on trying.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!await TryBindAsync(FirstRetry, cancellationToken)) _retrying = RetryAsync();
    }

    /// <summary>New connections and datagrams enter the new pipeline; those that are there stay in the old one until they end.</summary>
    public async Task ChangeAsync(EndpointPipeline pipeline)
    {
        var old = _pipeline;
        _pipeline = pipeline;
        _server?.Apply(pipeline.Config.Guards);
        await old.RetireAsync();
        Log.Changed(_logger, Config.Name);
    }

    /// <summary>
    /// Stops listening at once, lets every connection finish the message in hand, and aborts what is left at the deadline.
    /// </summary>
    public async Task DrainAsync(TimeSpan deadline)
    {
        _condition = new(EndpointState.Draining);
        // A connection that comes from here on finds the drain.
        var told = _stopping.CancelAsync();
        // The socket is closed before the first await: whoever binds it next may do so when this call returns.
        var stopped = _server is { } server ? StopServerAsync(server, deadline) : Task.CompletedTask;
        await told;
        foreach (var connection in Connections) RequestClose(connection);
        await stopped;
        await _retrying;
        // A bind that was under way when the drain began may have won.
        if (_server is { } late) await StopServerAsync(late, TimeSpan.Zero);
        await _pipeline.RetireAsync();
        _condition = new(EndpointState.Stopped);
        Log.Stopped(_logger, Config.Name);
    }

    /// <returns>The pipeline, which holds its handler until it is left; null where the endpoint is gone.</returns>
    public EndpointPipeline? TryEnter()
    {
        EndpointPipeline pipeline;
        while (!(pipeline = _pipeline).TryEnter())
        {
            if (ReferenceEquals(pipeline, _pipeline)) return null;
        }

        return pipeline;
    }

    /// <summary>A connection is served; each leaves once.</summary>
    public void EnterConnection() => Interlocked.Increment(ref _served);

    /// <summary>For one that entered: the drain ends with the last.</summary>
    public void LeaveConnection()
    {
        if (Interlocked.Decrement(ref _served) == 0) Volatile.Read(ref _lastLeft)?.TrySetResult();
    }

    public void Dispose() => _stopping.Dispose();

    /// <remarks>A number that is kept: readiness is asked for often, and a server may have many connections.</remarks>
    private int Count() => Volatile.Read(ref _served) + (_server?.InHand ?? 0);

    private async Task<bool> TryBindAsync(TimeSpan retryAfter, CancellationToken cancellationToken)
    {
        var address = Config.Listen;
        try
        {
            _server = address.Transport == EndpointTransport.Udp
                ? DatagramServer.Start(address, this, _services)
                : await EndpointServer.StartAsync(
                    address, Config.Guards, new(Config.Name, ServeAsync, CountLoopHold, OnListenerChanged), _servers, cancellationToken);
            // The settings may have changed since.
            _server.Apply(Config.Guards);
            _condition = new(EndpointState.Listening);
            Log.Listening(_logger, Config.Name, Config.Protocol.Name, Status().Address);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            var reason = Describe(exception, address);
            _condition = new(EndpointState.Failed, reason, _services.Time.GetUtcNow() + retryAfter);
            Log.Failed(_logger, Config.Name, address.ToString(), reason, retryAfter.TotalSeconds);
            return false;
        }

        _bound(this);
        return true;
    }

    private async Task RetryAsync()
    {
        try
        {
            var delay = FirstRetry;
            do
            {
                await Task.Delay(delay, _services.Time, _stopping.Token);
                delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, LastRetry.Ticks));
            }
            while (!await TryBindAsync(delay, _stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // The endpoint drains.
        }
    }

    /// <remarks>The transport binds it again; a drain that has begun meanwhile stands.</remarks>
    private void OnListenerChanged(string? failure)
    {
        var before = _condition;
        if (before.State is not (EndpointState.Listening or EndpointState.Failed)) return;
        var after = failure is null ? new Condition(EndpointState.Listening) : new(EndpointState.Failed, failure, _services.Time.GetUtcNow() + FirstRetry);
        Interlocked.CompareExchange(ref _condition, after, before);
    }

    private void CountLoopHold() => _services.Registry.TrafficOf(Config.Name, Config.Protocol.Name).CountLoopHold();

    private Task ServeAsync(ConnectionContext connection)
    {
        connection.Features.Set(this);
        if (TryEnter() is { } pipeline) return pipeline.ServeAsync(connection);
        // Accepted before the drain, and first served after its deadline.
        connection.Abort();
        return connection.DisposeAsync().AsTask();
    }

    private async Task StopServerAsync(IEndpointServer server, TimeSpan deadline)
    {
        using var abort = new CancellationTokenSource();
        var stopped = server.StopAsync(abort.Token);
        var left = LastLeavesAsync(stopped);
        Log.Draining(_logger, Config.Name, Count());
        if (!await EndsWithinAsync(left, deadline))
        {
            foreach (var connection in Connections) connection.Abort(ConnectionOutcome.DrainAborted);
            // Kestrel's own abort comes after ours, which has named the outcome.
            if (!await EndsWithinAsync(left, AbortGrace)) await abort.CancelAsync();
            await stopped;
            foreach (var connection in Connections) OutcomeMiddleware.End(_services, connection, ConnectionOutcome.DrainAborted);
        }

        server.Dispose();
        _server = null;
    }

    /// <summary>Ends when nothing new can come, and the last connection has left.</summary>
    private async Task LastLeavesAsync(Task stopped)
    {
        await stopped;
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _lastLeft, left);
        if (Volatile.Read(ref _served) == 0) return;
        await left.Task;
    }

    private void RequestClose(ConnectionState connection)
    {
        try
        {
            connection.RequestClose();
        }
        catch (AggregateException exception)
        {
            // The others are to hear of it all the same.
            Log.DrainCallbackThrew(_logger, exception, Config.Name);
        }
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan limit)
    {
        try
        {
            await task.WaitAsync(limit, _services.Time);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static string Describe(Exception exception, ListenAddress address) => exception.GetBaseException() switch
    {
        SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } when address.ReusePort =>
            "address in use by a process without ReusePort, or of another user: "
            + "stop it, change the endpoint's Port, or set its Enabled to false",
        SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } =>
            "address in use: stop the process that has it, change the endpoint's Port, or set its Enabled to false",
        SocketException { SocketErrorCode: SocketError.AccessDenied } => "permission denied: ports below 1024 need CAP_NET_BIND_SERVICE, a Unix socket a folder that can be written",
        SocketException { SocketErrorCode: SocketError.AddressNotAvailable } => "this machine does not have the address: change the endpoint's Address",
        _ => exception.Message,
    };

    private sealed record Condition(EndpointState State, string? Reason = null, DateTimeOffset? NextRetry = null);

    private static partial class Log
    {
        [LoggerMessage(1000, LogLevel.Information, "Endpoint {Endpoint} ({Protocol}) listens on {Address}", EventName = "EndpointListening")]
        public static partial void Listening(ILogger logger, string endpoint, string protocol, string address);

        [LoggerMessage(1001, LogLevel.Error, "Endpoint {Endpoint} could not bind {Address}: {Reason}. Next try in {Seconds} s", EventName = "EndpointFailed")]
        public static partial void Failed(ILogger logger, string endpoint, string address, string reason, double seconds);

        [LoggerMessage(1002, LogLevel.Information, "Endpoint {Endpoint} stopped listening and drains {Connections} connections", EventName = "EndpointDraining")]
        public static partial void Draining(ILogger logger, string endpoint, int connections);

        [LoggerMessage(1003, LogLevel.Information, "Endpoint {Endpoint} stopped", EventName = "EndpointStopped")]
        public static partial void Stopped(ILogger logger, string endpoint);

        [LoggerMessage(1004, LogLevel.Information, "Endpoint {Endpoint} changed: new connections have the new settings", EventName = "EndpointChanged")]
        public static partial void Changed(ILogger logger, string endpoint);

        [LoggerMessage(1005, LogLevel.Error, "A handler of endpoint {Endpoint} threw when it was told of the drain", EventName = "DrainCallbackThrew")]
        public static partial void DrainCallbackThrew(ILogger logger, Exception exception, string endpoint);
    }
}

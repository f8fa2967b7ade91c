using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Perch.Connections;

/// <summary>
/// Looks at the timeouts of every connection once a second, and calls the handlers that asked for it (<c>IConnectionHeartbeatFeature</c>),
/// on a thread of its own: handlers that hold the thread pool do not keep it from that.
/// </summary>
internal sealed partial class TimeoutSweep(ConnectionRegistry registry, ILogger<TimeoutSweep> logger) : IHostedService, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ManualResetEventSlim _stopping = new();
    private Thread? _thread;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _thread = new(Run) { IsBackground = true, Name = "perch timeouts" };
        _thread.Start();
        return Task.CompletedTask;
    }

    /// <remarks>It goes on until the end of the host: connections that drain have their timeouts too.</remarks>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _stopping.Set();
        _thread?.Join();
        _stopping.Dispose();
    }

    /// <summary>A second is over. On one thread at a time.</summary>
    internal void Tick()
    {
        try
        {
            registry.Tick(OnHeartbeatThrew);
        }
        catch (Exception exception)
        {
            Log.Failed(logger, exception);
        }
    }

    private void Run()
    {
        while (!_stopping.Wait(Interval)) Tick();
    }

    private void OnHeartbeatThrew(ConnectionState connection, Exception exception)
    {
        Log.HeartbeatThrew(logger, exception, connection.Traffic.Endpoint, connection.Traffic.Protocol);
        connection.Abort(ConnectionOutcome.HandlerFault);
    }

    private static partial class Log
    {
        [LoggerMessage(2003, LogLevel.Error, "The timeout sweep failed; it runs again in one second", EventName = "TimeoutsFailed")]
        public static partial void Failed(ILogger logger, Exception exception);

        [LoggerMessage(2005, LogLevel.Error, "The heartbeat of a handler of endpoint {Endpoint} ({Protocol}) threw; its connection ends", EventName = "HeartbeatThrew")]
        public static partial void HeartbeatThrew(ILogger logger, Exception exception, string endpoint, string protocol);
    }
}

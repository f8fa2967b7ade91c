using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Perch.Connections;

/// <summary>
/// Looks at the timeouts of every connection once a second, on a thread of its own: handlers that hold the thread pool do not keep
/// it from that.
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

    private void Run()
    {
        while (!_stopping.Wait(Interval))
        {
            try
            {
                registry.CheckTimeouts();
            }
            catch (Exception exception)
            {
                Log.Failed(logger, exception);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2003, LogLevel.Error, "Timeouts could not be checked; they are again in a second", EventName = "TimeoutsFailed")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}

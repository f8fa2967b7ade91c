namespace Perch.Server;

/// <summary>Stops the host at the first signal. (The framework's own lifetime ignores the second.)</summary>
internal sealed partial class SignalLifetime(StopSignals signals, IHostApplicationLifetime lifetime, ILogger<SignalLifetime> logger) : IHostLifetime, IDisposable
{
    private CancellationTokenRegistration _onSignal;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        _onSignal = signals.Requested.Register(() =>
        {
            Log.Stopping(logger);
            // A host that is stopped while it starts throws and drains nothing: such a stop waits for the end of the start.
            lifetime.ApplicationStarted.Register(lifetime.StopApplication);
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _onSignal.Dispose();

    private static partial class Log
    {
        [LoggerMessage(1030, LogLevel.Information, "Told to stop; a second signal ends the process now", EventName = "StopRequested")]
        public static partial void Stopping(ILogger logger);
    }
}

using System.Runtime.InteropServices;

namespace Perch.Server;

/// <summary>
/// SIGTERM and SIGINT stop the server in order; the second one ends it now, with 128 and the signal's number. (The
/// framework's own lifetime ignores the second.)
/// </summary>
internal sealed partial class SignalLifetime(IHostApplicationLifetime lifetime, ILogger<SignalLifetime> logger) : IHostLifetime, IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private int _signals;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, 15)));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, 2)));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
    }

    private void OnSignal(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _signals) > 1) Environment.Exit(128 + number);
        Log.Stopping(logger, context.Signal);
        // A host that is stopped while it starts throws and drains nothing: such a stop waits for the end of the start.
        lifetime.ApplicationStarted.Register(lifetime.StopApplication);
    }

    private static partial class Log
    {
        [LoggerMessage(1030, LogLevel.Information, "{Signal}: stopping; a second signal ends the process now", EventName = "StopRequested")]
        public static partial void Stopping(ILogger logger, PosixSignal signal);
    }
}

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Perch.Server;

/// <summary>
/// SIGTERM, SIGINT and SIGQUIT ask the server to stop in order; the second one ends it now, with 128 and the signal's number.
/// Made before anything else: a process without a handler that is number 1 of its container never sees a signal.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    /// <summary>A supervisor that signals the process and its group asks once.</summary>
    private static readonly TimeSpan Echo = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _requested = new();
    private readonly PosixSignalRegistration[] _registrations;
    private long _first;

    public StopSignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, 15)),
        PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, 2)),
        PosixSignalRegistration.Create(PosixSignal.SIGQUIT, context => OnSignal(context, 3)),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Requested => _requested.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _requested.Dispose();
    }

    private void OnSignal(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        var first = Interlocked.CompareExchange(ref _first, Stopwatch.GetTimestamp(), 0);
        if (first == 0) _requested.Cancel();
        else if (Stopwatch.GetElapsedTime(first) > Echo) Environment.Exit(128 + number);
    }
}

using System.Globalization;
using Perch.Datagrams;
using Serilog.Debugging;

namespace Perch.Server.Logging;

/// <summary>
/// Failures of Serilog's sinks, such as a full disk: each is counted, and one per second is written to standard error. Serilog reports
/// them to one receiver per process; the host that was created last is the receiver.
/// </summary>
internal sealed class SinkFailures
{
    private readonly LogGate _gate = new(TimeProvider.System);
    private long _count;

    public SinkFailures() => SelfLog.Enable(OnFailure);

    /// <summary>Number of failures since the start.</summary>
    public long Count => Interlocked.Read(ref _count);

    private void OnFailure(string message)
    {
        Interlocked.Increment(ref _count);
        if (_gate.TryPass(out var held))
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"perch-server: the log failed: {message} ({held} further failures)"));
    }
}

using System.Runtime.InteropServices;

namespace Perch.Server;

/// <summary>
/// SIGHUP asks the server to read its configuration again, as daemons do (daemon(7)); a terminal that closes sends it too. Without a
/// handler it would end the process.
/// </summary>
internal sealed class ReloadSignal : IDisposable
{
    private readonly PosixSignalRegistration _registration;

    public ReloadSignal() => _registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
    {
        context.Cancel = true;
        Requested?.Invoke();
    });

    /// <summary>Called for each signal, on a thread of its own. Null while the server starts, when the files are read anyway.</summary>
    public Action? Requested { get; set; }

    public void Dispose() => _registration.Dispose();
}

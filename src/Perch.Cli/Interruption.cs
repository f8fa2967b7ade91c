using System.Runtime.InteropServices;

namespace Perch.Cli;

/// <summary>
/// Ctrl-C and SIGTERM: the first asks what runs to end in order (files stay resumable, the terminal becomes what it was), the
/// second ends the process at once.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private const int SigInt = 2;
    private const int SigTerm = 15;

    private readonly CancellationTokenSource _source = new();
    private readonly List<PosixSignalRegistration> _registrations = [];

    public Interruption()
    {
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Raise(context, SigInt)));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Raise(context, SigTerm)));
    }

    public CancellationToken Token => _source.Token;

    /// <summary>Ctrl-C was typed on a terminal that shows it as ^C; before <see cref="Token"/> is cancelled.</summary>
    public Action? Shown { get; set; }

    /// <summary>The signal that came first; 0 where none did.</summary>
    public int Signal { get; private set; }

    /// <summary>What a key that stands for a signal does where the terminal gives keys and not signals.</summary>
    public void Raise()
    {
        if (Signal == 0) Signal = SigInt;
        _source.Cancel();
    }

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _source.Dispose();
    }

    private void Raise(PosixSignalContext context, int signal)
    {
        context.Cancel = Signal == 0;
        if (Signal != 0) return;
        Signal = signal;
        if (signal == SigInt) Shown?.Invoke();
        _source.Cancel();
    }
}

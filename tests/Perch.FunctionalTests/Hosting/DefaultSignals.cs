using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Perch.FunctionalTests.Hosting;

/// <summary>Restores the default action of signals for the processes that the tests start.</summary>
/// <remarks>
/// A shell starts a background command with SIGINT ignored, and nohup ignores SIGHUP. A child inherits that, and the runtime keeps it.
/// </remarks>
internal static partial class DefaultSignals
{
    private const int HangUp = 1;
    private const int Interrupt = 2;
    private const int Quit = 3;

    [ModuleInitializer]
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2255", Justification = "No test may start a process before it.")]
    internal static void Restore()
    {
        if (OperatingSystem.IsWindows())
            return;
        RestoreIfIgnored(HangUp);
        RestoreIfIgnored(Interrupt);
        RestoreIfIgnored(Quit);
    }

    private static void RestoreIfIgnored(int number)
    {
        const nint Default = 0;
        const nint Ignored = 1;
        var before = Signal(number, Default);
        if (before != Ignored)
            Signal(number, before);
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int number, nint handler);
}

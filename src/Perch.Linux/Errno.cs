namespace Perch.Linux;

/// <summary>Numbers of errno(3), as Linux has them on x64 and arm64.</summary>
public static class Errno
{
    public const int NotPermitted = 1;
    public const int Interrupted = 4;
    public const int BadDescriptor = 9;
    public const int TryAgain = 11;
    public const int OutOfMemory = 12;
    public const int TableOfSystemFull = 23;
    public const int TableOfProcessFull = 24;
    public const int BrokenPipe = 32;
    public const int NoNetworkOfMachine = 64;
    public const int ProtocolError = 71;
    public const int NoProtocolOption = 92;
    public const int NotSupported = 95;
    public const int NetworkDown = 100;
    public const int NetworkUnreachable = 101;
    public const int ConnectionAborted = 103;
    public const int ConnectionReset = 104;
    public const int NoBufferSpace = 105;
    public const int TimedOut = 110;
    public const int HostDown = 112;
    public const int HostUnreachable = 113;

    /// <summary>True if an error of accept(2) concerns the connection, not the listening socket.</summary>
    public static bool IsOfConnection(int error) => error
        is ConnectionAborted or NotPermitted or ProtocolError or NoProtocolOption or NotSupported or TimedOut
        or NetworkDown or NetworkUnreachable or HostDown or HostUnreachable or NoNetworkOfMachine;
}

namespace Perch.Cli;

/// <summary>What the process says when it ends. Documented in docs/client.md: scripts depend on the numbers.</summary>
internal static class ExitCode
{
    /// <summary>All was done.</summary>
    public const int Done = 0;

    /// <summary>The peer refused, or answered something else than its protocol has.</summary>
    public const int Refused = 1;

    /// <summary>The command line cannot be understood.</summary>
    public const int Usage = 2;

    /// <summary>The host's name is not known.</summary>
    public const int UnknownHost = 3;

    /// <summary>Nothing listens there, or no way leads there.</summary>
    public const int Unreachable = 4;

    /// <summary>No connection, or no answer, within <c>--timeout</c>.</summary>
    public const int TimedOut = 5;

    /// <summary>TLS failed: the certificate is not trusted, or the peer does not speak it.</summary>
    public const int Tls = 6;

    /// <summary>The connection ended before all was said.</summary>
    public const int Cut = 7;

    /// <summary>A file of this machine cannot be read or written.</summary>
    public const int LocalFile = 8;

    /// <summary>What a signal ends with is 128 and its number: 130 for Ctrl-C, 143 for SIGTERM.</summary>
    public const int Signal = 128;
}

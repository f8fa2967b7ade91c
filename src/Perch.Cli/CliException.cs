namespace Perch.Cli;

/// <summary>A failure with its exit code and one line for a person, which may hold a peer's text only escaped.</summary>
/// <param name="exitCode">One of <see cref="Cli.ExitCode"/>.</param>
/// <param name="text">What happened and, where there is one, the cure.</param>
internal sealed class CliException(int exitCode, string text) : Exception(text)
{
    public int ExitCode { get; } = exitCode;

    /// <summary>The server cannot answer now, and may later: 502, 503 and 504 of HTTP.</summary>
    public bool IsTemporary { get; init; }

    /// <summary>A command that waits for the server tries again after such a failure.</summary>
    public bool IsOfConnection =>
        IsTemporary || ExitCode is Cli.ExitCode.Cut or Cli.ExitCode.TimedOut or Cli.ExitCode.Unreachable or Cli.ExitCode.UnknownHost;
}

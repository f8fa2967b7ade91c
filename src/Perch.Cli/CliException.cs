namespace Perch.Cli;

/// <summary>A failure with its exit code and one line for a person, which may hold a peer's text only escaped.</summary>
/// <param name="exitCode">One of <see cref="Cli.ExitCode"/>.</param>
/// <param name="text">What happened and, where there is one, the cure.</param>
internal sealed class CliException(int exitCode, string text) : Exception(text)
{
    public int ExitCode { get; } = exitCode;
}

using Perch.Files;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>A request or a transfer is refused: what the peer is told, and what is counted.</summary>
/// <param name="code">For the peer's program.</param>
/// <param name="text">For a person, safe to send: no path, and nothing that the peer sent.</param>
/// <param name="outcome">For log and metrics.</param>
internal sealed class TftpException(TftpErrorCode code, string text, TftpOutcome outcome) : Exception(text)
{
    public TftpErrorCode Code { get; } = code;

    public TftpOutcome Outcome { get; } = outcome;

    public static TftpException Illegal(string text) => new(TftpErrorCode.IllegalOperation, text, TftpOutcome.Illegal);

    public static TftpException Of(FileStoreException failure) => failure.Code switch
    {
        "not-found" => new(TftpErrorCode.FileNotFound, failure.Text, TftpOutcome.NotFound),
        "exists" => new(TftpErrorCode.FileExists, failure.Text, TftpOutcome.Exists),
        "full" or "quota" => new(TftpErrorCode.DiskFull, failure.Text, TftpOutcome.Full),
        "conflict" => new(TftpErrorCode.AccessViolation, failure.Text, TftpOutcome.Refused),
        _ => new(TftpErrorCode.NotDefined, failure.Text, TftpOutcome.Unavailable),
    };
}

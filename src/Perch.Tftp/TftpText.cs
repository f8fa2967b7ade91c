namespace Perch.Tftp;

/// <summary>What peers are told in words. Nothing of it names a path, or repeats what a peer sent.</summary>
internal static class TftpText
{
    public const string UnknownTransfer = "this transfer is not yours, or over";

    public const string Fault = "the server failed";

    public static string Of(TftpOutcome outcome) => outcome switch
    {
        TftpOutcome.Aborted => "the server stops, try again later",
        TftpOutcome.Busy => "too many transfers are running, try again later",
        _ => "the transfer is over",
    };

    /// <summary>Whether an end is told to the peer: not where the peer knows, or is gone, or was perhaps never there.</summary>
    public static bool IsTold(TftpOutcome outcome) =>
        outcome is not (TftpOutcome.PeerError or TftpOutcome.Replaced or TftpOutcome.NoPeer or TftpOutcome.Unacknowledged);
}

namespace Perch.Tftp;

/// <summary>How a request or its transfer ended: the label <c>outcome</c> of <c>perch.tftp.transfers</c>, there in kebab case.</summary>
internal enum TftpOutcome
{
    /// <summary>The peer has everything, and has said so; or a file is stored.</summary>
    Completed,

    /// <summary>Everything was sent, but the acknowledgement of the last block did not come.</summary>
    Unacknowledged,

    /// <summary>There is no such file.</summary>
    NotFound,

    /// <summary>The endpoint does not allow it, or the name breaks a rule.</summary>
    Refused,

    /// <summary>A file has the name.</summary>
    Exists,

    /// <summary>The disk is full, or a limit of the store is reached.</summary>
    Full,

    /// <summary>The peer sent what may not come.</summary>
    Illegal,

    /// <summary>As many transfers are running as may be.</summary>
    Busy,

    /// <summary>The peer sent an ERROR.</summary>
    PeerError,

    /// <summary>The peer did not answer any more.</summary>
    Timeout,

    /// <summary>The peer never answered: perhaps the request was forged.</summary>
    NoPeer,

    /// <summary>The peer has begun another one from the same port.</summary>
    Replaced,

    /// <summary>The drain's time was over.</summary>
    Aborted,

    /// <summary>The store failed.</summary>
    Unavailable,

    /// <summary>A fault of this server.</summary>
    Fault,
}

namespace Perch.Wire.Tftp;

/// <summary>What an ERROR says to a program (RFC 1350, appendix; RFC 2347).</summary>
public enum TftpErrorCode
{
    /// <summary>Only the text tells.</summary>
    NotDefined = 0,

    /// <summary>There is no such file.</summary>
    FileNotFound = 1,

    /// <summary>The server does not allow it, or not this name.</summary>
    AccessViolation = 2,

    /// <summary>The disk is full, or a limit of the store is reached.</summary>
    DiskFull = 3,

    /// <summary>Not a TFTP packet, or not one that may come now.</summary>
    IllegalOperation = 4,

    /// <summary>The sender's address and port are not those of the transfer.</summary>
    UnknownTransferId = 5,

    /// <summary>A file of the name is there.</summary>
    FileExists = 6,

    /// <summary>No such user; of no use any more.</summary>
    NoSuchUser = 7,

    /// <summary>The options are refused (RFC 2347).</summary>
    OptionRefused = 8,
}

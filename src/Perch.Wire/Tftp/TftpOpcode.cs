namespace Perch.Wire.Tftp;

/// <summary>The first two bytes of every packet (RFC 1350, section 5; RFC 2347).</summary>
public enum TftpOpcode
{
    /// <summary>Nothing that TFTP knows.</summary>
    None = 0,

    /// <summary>RRQ: a peer wants to read a file.</summary>
    ReadRequest = 1,

    /// <summary>WRQ: a peer wants to write a file.</summary>
    WriteRequest = 2,

    /// <summary>DATA: one block of the file.</summary>
    Data = 3,

    /// <summary>ACK: everything to this block has come.</summary>
    Acknowledgment = 4,

    /// <summary>ERROR: the transfer is over; never answered.</summary>
    Error = 5,

    /// <summary>OACK: the options that the server accepts (RFC 2347).</summary>
    OptionAcknowledgment = 6,
}

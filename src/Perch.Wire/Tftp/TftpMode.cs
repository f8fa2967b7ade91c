namespace Perch.Wire.Tftp;

/// <summary>How the bytes of a file are on the wire (RFC 1350, section 1); <c>mail</c> is obsolete and refused.</summary>
public enum TftpMode
{
    /// <summary>As they are.</summary>
    Octet,

    /// <summary>Lines that end in CR LF, and CR NUL for a CR (RFC 764's NVT ASCII).</summary>
    Netascii,
}

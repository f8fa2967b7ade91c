namespace Perch.Wire.Framings;

/// <summary>How a stream of bytes is cut into messages.</summary>
public enum Framing
{
    /// <summary>Whatever has arrived is a message: see <see cref="ChunkFraming"/>.</summary>
    Chunk,

    /// <summary>LF or CRLF ends a message: see <see cref="LineFraming"/>.</summary>
    Line,

    /// <summary>A four-byte length stands before each message: see <see cref="LengthFraming"/>.</summary>
    Length,

    /// <summary>Syslog over TCP, RFC 6587, octet-counted or ended by LF or NUL: see <see cref="SyslogFraming"/>.</summary>
    Syslog,
}

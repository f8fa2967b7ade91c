using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Perch.Wire.Tftp;

/// <summary>A request to read or to write a file.</summary>
/// <remarks>
/// <code>
///   2 bytes   string   1 byte  string   1 byte  options
/// +---------+---~~---+-------+---~~---+-------+---~~---+
/// | 01 / 02 |  name  |   0   |  mode  |   0   |        |            RFC 1350, section 5; RFC 2347
/// +---------+---~~---+-------+---~~---+-------+---~~---+
/// </code>
/// </remarks>
/// <param name="IsWrite">WRQ, else RRQ.</param>
/// <param name="Name">The file's name as it came: not checked, perhaps empty, without NUL.</param>
/// <param name="Mode">The mode; in the packet it may be in any case.</param>
/// <param name="Options">The options that are known and can be.</param>
public sealed record TftpRequest(bool IsWrite, ReadOnlyMemory<byte> Name, TftpMode Mode, TftpOptionSet Options)
{
    /// <summary>The longest request that is read. RFC 2347 allows 512 bytes; names may be longer than that.</summary>
    public const int MaxBytes = 2048;

    /// <summary>Reads a datagram whose opcode is one of the two.</summary>
    /// <param name="packet">The whole datagram.</param>
    /// <param name="request">The request.</param>
    /// <param name="fault">What is wrong, where false is returned.</param>
    public static bool TryParse(ReadOnlySpan<byte> packet, [NotNullWhen(true)] out TftpRequest? request, out TftpFault fault)
    {
        request = null;
        fault = default;
        var opcode = TftpPacket.OpcodeOf(packet);
        if (opcode is not (TftpOpcode.ReadRequest or TftpOpcode.WriteRequest)) return Fail("this is no request", out fault);
        if (packet.Length > MaxBytes) return Fail("the request is too long", out fault);
        var rest = packet[TftpPacket.OpcodeBytes..];
        if (!TftpOptionSet.TryCut(ref rest, out var name)) return Fail("the name does not end in NUL", out fault);
        if (!TftpOptionSet.TryCut(ref rest, out var modeText)) return Fail("the mode does not end in NUL", out fault);
        if (!TryParseMode(modeText, out var mode)) return Fail("the mode is neither octet nor netascii", out fault);
        if (!TftpOptionSet.TryParse(rest, mayEndInPair: true, out var options, out fault)) return false;
        request = new(opcode == TftpOpcode.WriteRequest, name.ToArray(), mode, options);
        return true;
    }

    /// <summary>Writes the packet.</summary>
    /// <param name="destination">Room for it: the name and 160 bytes are enough.</param>
    /// <returns>How many bytes were written.</returns>
    public int Write(Span<byte> destination)
    {
        TftpPacket.WriteOpcode(destination, IsWrite ? TftpOpcode.WriteRequest : TftpOpcode.ReadRequest);
        var at = TftpPacket.OpcodeBytes;
        Name.Span.CopyTo(destination[at..]);
        at += Name.Length;
        destination[at++] = 0;
        var mode = Mode == TftpMode.Octet ? "octet\0"u8 : "netascii\0"u8;
        mode.CopyTo(destination[at..]);
        at += mode.Length;
        return at + Options.Write(destination[at..]);
    }

    private static bool TryParseMode(ReadOnlySpan<byte> text, out TftpMode mode)
    {
        mode = Ascii.EqualsIgnoreCase(text, "netascii"u8) ? TftpMode.Netascii : TftpMode.Octet;
        return mode == TftpMode.Netascii || Ascii.EqualsIgnoreCase(text, "octet"u8);
    }

    private static bool Fail(string text, out TftpFault fault)
    {
        fault = new(TftpErrorCode.IllegalOperation, text);
        return false;
    }
}

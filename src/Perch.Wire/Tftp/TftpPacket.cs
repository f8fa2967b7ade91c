using System.Buffers.Binary;
using System.Text;

namespace Perch.Wire.Tftp;

/// <summary>The packets of a transfer; requests are <see cref="TftpRequest"/>.</summary>
/// <remarks>
/// <code>
///   2 bytes   2 bytes    0 to blksize bytes
/// +---------+---------+---------~~---------+
/// |   03    |  block  |        data        |      DATA: the last block is shorter than blksize, perhaps empty
/// +---------+---------+---------~~---------+
/// |   04    |  block  |                           ACK: everything to this block has come
/// +---------+---------+---------~~-----+---+
/// |   05    |  code   |      text      | 0 |      ERROR
/// +---------+---------+---------~~-----+---+
/// |   06    |  options, see TftpOptionSet  |      OACK (RFC 2347): acknowledged as block 0
/// +---------+---------~~-------------------+      RFC 1350, section 5
/// </code>
/// Numbers are big-endian. Blocks count from 1; behind 65535 comes 0. What is too short or another packet is <c>false</c>;
/// nothing here throws on what a peer sent.
/// </remarks>
public static class TftpPacket
{
    /// <summary>The opcode.</summary>
    public const int OpcodeBytes = 2;

    /// <summary>Opcode and block, or opcode and code: what stands before the data or the text.</summary>
    public const int HeaderBytes = 4;

    /// <summary>The most that an OACK of this codec takes.</summary>
    public const int MaxOptionAcknowledgmentBytes = 160;

    /// <summary>The longest text of an ERROR that is written.</summary>
    public const int MaxErrorTextBytes = 128;

    /// <summary>What kind of packet it is.</summary>
    public static TftpOpcode OpcodeOf(ReadOnlySpan<byte> packet) =>
        packet.Length >= OpcodeBytes && packet[0] == 0 && packet[1] is >= 1 and <= 6 ? (TftpOpcode)packet[1] : TftpOpcode.None;

    /// <summary>Reads a DATA.</summary>
    /// <param name="packet">The whole datagram.</param>
    /// <param name="block">Its number.</param>
    /// <param name="data">What it carries; part of the packet.</param>
    public static bool TryReadData(ReadOnlySpan<byte> packet, out ushort block, out ReadOnlySpan<byte> data)
    {
        data = default;
        if (!TryReadHeader(packet, TftpOpcode.Data, out block)) return false;
        data = packet[HeaderBytes..];
        return true;
    }

    /// <summary>Reads an ACK; what stands behind it is passed over, since some boot loaders send a whole buffer.</summary>
    public static bool TryReadAcknowledgment(ReadOnlySpan<byte> packet, out ushort block) => TryReadHeader(packet, TftpOpcode.Acknowledgment, out block);

    /// <summary>Reads an ERROR.</summary>
    /// <param name="packet">The whole datagram.</param>
    /// <param name="code">The code, perhaps none that is known.</param>
    /// <param name="text">The text to its NUL or to the end: hostile, and perhaps long.</param>
    public static bool TryReadError(ReadOnlySpan<byte> packet, out ushort code, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (!TryReadHeader(packet, TftpOpcode.Error, out code)) return false;
        text = packet[HeaderBytes..];
        if (text.IndexOf((byte)0) is var end and >= 0) text = text[..end];
        return true;
    }

    /// <summary>Reads an OACK.</summary>
    public static bool TryReadOptionAcknowledgment(ReadOnlySpan<byte> packet, out TftpOptionSet options)
    {
        options = TftpOptionSet.None;
        return OpcodeOf(packet) == TftpOpcode.OptionAcknowledgment && TftpOptionSet.TryParse(packet[OpcodeBytes..], out options, out _);
    }

    /// <summary>Writes what stands before the data of a block.</summary>
    public static void WriteDataHeader(Span<byte> destination, ushort block) => WriteHeader(destination, TftpOpcode.Data, block);

    /// <summary>Writes an ACK, of <see cref="HeaderBytes"/>.</summary>
    public static void WriteAcknowledgment(Span<byte> destination, ushort block) => WriteHeader(destination, TftpOpcode.Acknowledgment, block);

    /// <summary>Writes an ERROR.</summary>
    /// <param name="destination">Room for the header, the text and a NUL.</param>
    /// <param name="code">For programs.</param>
    /// <param name="text">For people; what is over <see cref="MaxErrorTextBytes"/> characters is cut, and what is not ASCII becomes a question mark.</param>
    /// <returns>How many bytes were written.</returns>
    public static int WriteError(Span<byte> destination, TftpErrorCode code, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        WriteHeader(destination, TftpOpcode.Error, (ushort)code);
        var length = Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, MaxErrorTextBytes)), destination[HeaderBytes..]);
        destination[HeaderBytes + length] = 0;
        return HeaderBytes + length + 1;
    }

    /// <summary>Writes an OACK.</summary>
    /// <param name="destination">Room for <see cref="MaxOptionAcknowledgmentBytes"/>.</param>
    /// <param name="options">What is accepted.</param>
    /// <returns>How many bytes were written.</returns>
    public static int WriteOptionAcknowledgment(Span<byte> destination, TftpOptionSet options)
    {
        ArgumentNullException.ThrowIfNull(options);
        WriteOpcode(destination, TftpOpcode.OptionAcknowledgment);
        return OpcodeBytes + options.Write(destination[OpcodeBytes..]);
    }

    internal static void WriteOpcode(Span<byte> destination, TftpOpcode opcode) => BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)opcode);

    private static bool TryReadHeader(ReadOnlySpan<byte> packet, TftpOpcode opcode, out ushort number)
    {
        number = 0;
        if (packet.Length < HeaderBytes || OpcodeOf(packet) != opcode) return false;
        number = BinaryPrimitives.ReadUInt16BigEndian(packet[OpcodeBytes..]);
        return true;
    }

    private static void WriteHeader(Span<byte> destination, TftpOpcode opcode, ushort number)
    {
        WriteOpcode(destination, opcode);
        BinaryPrimitives.WriteUInt16BigEndian(destination[OpcodeBytes..], number);
    }
}

using System.Buffers;
using System.Globalization;
using System.Text;
using Perch.Wire.Framings;

namespace Perch.Cli.Net;

/// <summary>Frames the messages of this side.</summary>
internal static class Outgoing
{
    /// <summary>Longest message that is held whole.</summary>
    public const int MaxMessageBytes = 16 * 1024 * 1024;

    public static ReadOnlyMemory<byte> Frame(Framing framing, ReadOnlySpan<byte> message)
    {
        var output = new ArrayBufferWriter<byte>(message.Length + 16);
        switch (framing)
        {
            case Framing.Line:
                LineFraming.Write(output, message);
                break;
            case Framing.Length:
                LengthFraming.Write(output, message);
                break;
            case Framing.Syslog:
                // RFC 6587, 3.4.1: octet counting takes any message.
                Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{message.Length} "), output);
                output.Write(message);
                break;
            default:
                output.Write(message);
                break;
        }

        return output.WrittenMemory;
    }
}

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

    /// <exception cref="CliException">The framing cannot carry the message.</exception>
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
                WriteSyslog(output, message);
                break;
            default:
                output.Write(message);
                break;
        }

        return output.WrittenMemory;
    }

    /// <summary>
    /// RFC 6587: a message with PRI is counted (3.4.1). One without PRI is a line (3.4.2): its count would not be recognized.
    /// </summary>
    private static void WriteSyslog(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> message)
    {
        if (message is [(byte)'<', ..])
        {
            Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{message.Length} "), output);
            output.Write(message);
            return;
        }

        if (message.ContainsAny((byte)'\n', (byte)0))
            throw new CliException(ExitCode.Usage, "A syslog message that contains LF or NUL must begin with a priority, such as <13>.");
        LineFraming.Write(output, message);
    }
}

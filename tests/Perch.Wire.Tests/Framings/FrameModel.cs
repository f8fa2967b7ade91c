using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

/// <summary>The framings a second time, on text and without regard to speed: what the readers are compared with.</summary>
internal static class FrameModel
{
    public static Frames Read(Framing framing, int max, string stream)
    {
        var messages = new List<string>();
        while (stream.Length > 0)
        {
            var (message, code, taken) = framing switch
            {
                Framing.Line => Line(stream, max),
                Framing.Length => Length(stream, max),
                _ => Syslog(stream, max),
            };
            if (code is not null)
                return new Frames([.. messages], code, "");
            if (message is null)
                break;
            if (framing != Framing.Syslog || message.Length > 0)
                messages.Add(message);
            stream = stream[taken..];
        }

        return new Frames([.. messages], null, stream);
    }

    private static (string? Message, string? Code, int Taken) Line(string stream, int max)
    {
        var end = stream.IndexOf('\n');
        var line = end < 0 ? stream : stream[..end];
        if (line.EndsWith('\r'))
            line = line[..^1];
        if (line.Length > max)
            return (null, "too-long", 0);
        return end < 0 ? (null, null, 0) : (line, null, end + 1);
    }

    private static (string? Message, string? Code, int Taken) Length(string stream, int max)
    {
        if (stream.Length < 4)
            return (null, null, 0);
        var length = ((long)stream[0] << 24) + (stream[1] << 16) + (stream[2] << 8) + stream[3];
        return Body(stream, 4, length, max);
    }

    private static (string? Message, string? Code, int Taken) Syslog(string stream, int max)
    {
        if (stream[0] is < '1' or > '9')
            return Line(stream, max);
        var digits = string.Concat(stream.TakeWhile(char.IsAsciiDigit));
        var length = System.Numerics.BigInteger.Parse(digits);
        if (length > max)
            return (null, "too-long", 0);
        if (digits.Length == stream.Length)
            return (null, null, 0);
        return stream[digits.Length] != ' '
            ? (null, "malformed", 0)
            : Body(stream, digits.Length + 1, (long)length, max);
    }

    private static (string? Message, string? Code, int Taken) Body(string stream, int header, long length, int max)
    {
        if (length > max)
            return (null, "too-long", 0);
        return stream.Length < header + length
            ? (null, null, 0)
            : (stream.Substring(header, (int)length), null, header + (int)length);
    }
}

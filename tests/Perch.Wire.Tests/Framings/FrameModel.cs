using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

/// <summary>The framings a second time, on text and without regard to speed: what the readers are compared with.</summary>
internal static class FrameModel
{
    public static Frames Read(Framing framing, int max, string stream, bool isCompleted = false)
    {
        var messages = new List<string>();
        while (stream.Length > 0)
        {
            var (message, code, taken) = framing switch
            {
                Framing.Line => Line(stream, max),
                Framing.Length => Length(stream, max),
                _ => Syslog(stream, max, isCompleted),
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

    private static (string? Message, string? Code, int Taken) Syslog(string stream, int max, bool isCompleted)
    {
        var count = Regex.Match(stream, "\\A(?<count>[1-9][0-9]*) <", RegexOptions.NonBacktracking);
        if (count.Success)
        {
            var length = BigInteger.Parse(count.Groups["count"].Value, CultureInfo.InvariantCulture);
            return length > max ? (null, "too-long", 0) : Body(stream, count.Length - 1, (long)length, max);
        }

        var start = Regex.Match(stream, "\\A(?<count>[1-9][0-9]*) ?\\z", RegexOptions.NonBacktracking);
        var mayBeCount = start.Success && BigInteger.Parse(start.Groups["count"].Value, CultureInfo.InvariantCulture) <= max;
        var end = stream.IndexOfAny(['\n', '\0']);
        if (end < 0 && !isCompleted && mayBeCount)
            return (null, null, 0);
        var line = end < 0 ? stream : stream[..end];
        if ((end < 0 || stream[end] == '\n') && line.EndsWith('\r'))
            line = line[..^1];
        if (line.Length > max)
            return (null, "too-long", 0);
        if (end < 0)
            return isCompleted ? (line, null, stream.Length) : (null, null, 0);
        return (line, null, end + 1);
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

using System.Buffers;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

/// <summary>What reading a whole stream gave: its messages, then a broken rule or the bytes that are left.</summary>
internal sealed record Frames(string[] Messages, string? Code, string Rest)
{
    public bool Equals(Frames? other) => other is not null && ToString() == other.ToString();

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(ToString());

    public override string ToString() =>
        $"[{string.Join('|', Messages.Select(message => PeerText.Escape(message)))}] {Code ?? "-"} {PeerText.Escape(Rest)}";

    /// <summary>Feeds a reader as a pipe does: each part arrives as a segment behind what was left unread.</summary>
    public static Frames Read(Framing framing, int max, IReadOnlyList<byte[]> parts, bool isCompleted = false)
    {
        var reader = new FrameReader(framing, max);
        var messages = new List<string>();
        var unread = default(ReadOnlySequence<byte>);
        for (var i = 0; i < parts.Count; i++)
        {
            unread = Append(unread, parts[i]);
            try
            {
                while (reader.TryRead(ref unread, isCompleted && i == parts.Count - 1, out var message))
                    messages.Add(Bytes.Text(message));
            }
            catch (ProtocolException e)
            {
                return new Frames([.. messages], e.Code, "");
            }

            Assert.InRange(unread.Length, 0, max + Overhead(framing, max));
        }

        return new Frames([.. messages], null, Bytes.Text(unread));
    }

    /// <summary>The whole stream at once, in as many segments as there are parts.</summary>
    public static Frames ReadAtOnce(Framing framing, int max, IReadOnlyList<byte[]> parts, bool isCompleted = false)
    {
        var reader = new FrameReader(framing, max);
        var messages = new List<string>();
        var unread = Bytes.Sequence(parts);
        try
        {
            while (reader.TryRead(ref unread, isCompleted, out var message))
                messages.Add(Bytes.Text(message));
        }
        catch (ProtocolException e)
        {
            return new Frames([.. messages], e.Code, "");
        }

        return new Frames([.. messages], null, Bytes.Text(unread));
    }

    // How much more than a message may wait unread: the CR of a CRLF, a header without its last body byte.
    private static int Overhead(Framing framing, int max) => framing switch
    {
        Framing.Line => 1,
        Framing.Length => 3,
        Framing.Syslog => Math.Max(1, $"{max}".Length),
        _ => -max,
    };

    private static ReadOnlySequence<byte> Append(ReadOnlySequence<byte> unread, byte[] part)
    {
        var parts = new List<byte[]>();
        foreach (var segment in unread)
            parts.Add(segment.ToArray());
        parts.Add(part);
        return Bytes.Sequence(parts);
    }
}

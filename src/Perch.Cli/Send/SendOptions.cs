using Perch.Cli.Net;
using Perch.Wire.Framings;

namespace Perch.Cli.Send;

/// <summary>How <c>perch send</c> sends.</summary>
internal sealed record SendOptions
{
    /// <summary>How messages are framed.</summary>
    public Framing Framing { get; init; }

    /// <summary>Answers to wait for; 0: none; null: until the peer closes, or one a datagram.</summary>
    public int? Replies { get; init; }

    /// <summary>UDP: how often a message is sent again.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>How long to wait for each answer; null: the transport's default.</summary>
    public TimeSpan? Timeout { get; init; }

    public static Framing DefaultFraming(Target target) => target.Protocol == "record" ? Framing.Line : Framing.Chunk;
}

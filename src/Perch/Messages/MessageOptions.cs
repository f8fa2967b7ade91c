using System.ComponentModel.DataAnnotations;
using Perch.Wire.Framings;

namespace Perch.Messages;

/// <summary>The options of every protocol that is made of messages; a protocol adds its own and may set other defaults.</summary>
public class MessageOptions
{
    /// <summary>How messages are told apart on a stream. Default <see cref="Framing.Chunk"/>: what one read returned.</summary>
    public Framing Framing { get; set; } = Framing.Chunk;

    /// <summary>
    /// The longest message in bytes; a longer one is a protocol violation (with <see cref="Framing.Chunk"/> it is cut).
    /// Default 65,536. A connection may hold as many bytes in memory while a message arrives.
    /// </summary>
    [Range(1, 16 * 1024 * 1024)]
    public int MaxMessageBytes { get; set; } = 64 * 1024;
}

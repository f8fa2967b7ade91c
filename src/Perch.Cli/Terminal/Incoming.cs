using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Perch.Cli.Json;
using Perch.Wire;
using Perch.Wire.Framings;

namespace Perch.Cli.Terminal;

/// <summary>How to show what a peer sends.</summary>
internal enum View
{
    /// <summary>The bytes as they came: for a pipe.</summary>
    Exact,

    /// <summary>Escaped: for a terminal.</summary>
    Escaped,

    /// <summary>A hex dump.</summary>
    Hex,

    /// <summary>An object a message.</summary>
    Json,
}

/// <summary>Shows what a peer sends: as it comes, or cut into messages of a framing, one a line.</summary>
/// <param name="view">How.</param>
/// <param name="framing">Null: not cut.</param>
/// <param name="isDatagram">Each piece is a message.</param>
internal sealed class Incoming(View view, Framing? framing, bool isDatagram)
{
    /// <summary>Longest message of a framing; a peer whose message is longer breaks the protocol.</summary>
    public const int MaxMessageBytes = 4 * 1024 * 1024;

    private readonly PeerScreen _screen = new();
    private readonly HexView _hex = new();
    private FrameReader _frames = new(framing ?? Framing.Chunk, MaxMessageBytes);
    private byte[] _unread = [];

    private bool IsCut => isDatagram || framing is not null and not Framing.Chunk;

    /// <summary>Messages so far; without a framing the pieces.</summary>
    public long Messages { get; private set; }

    /// <summary>What to print for the next bytes.</summary>
    /// <exception cref="ProtocolException">They break the framing.</exception>
    public ReadOnlyMemory<byte> Next(ReadOnlyMemory<byte> bytes)
    {
        if (!IsCut || isDatagram)
        {
            Messages++;
            return isDatagram ? Message(bytes.Span) : Piece(bytes);
        }

        return Cut(bytes, isCompleted: false);
    }

    /// <summary>Text that is printed at the end.</summary>
    /// <exception cref="ProtocolException">It ended within a message.</exception>
    public ReadOnlyMemory<byte> End()
    {
        if (!IsCut || isDatagram) return Encoding.UTF8.GetBytes(_screen.End());

        var last = Cut(default, isCompleted: true);
        _frames.EnsureComplete(new(_unread));
        return last;
    }

    private ReadOnlyMemory<byte> Cut(ReadOnlyMemory<byte> bytes, bool isCompleted)
    {
        var all = _unread.Length == 0 ? bytes : (byte[])[.. _unread, .. bytes.Span];
        var sequence = new ReadOnlySequence<byte>(all);
        var output = new ArrayBufferWriter<byte>(Math.Max(bytes.Length, 1));
        while (_frames.TryRead(ref sequence, isCompleted, out var message))
        {
            Messages++;
            output.Write(Message(message.ToArray()).Span);
        }

        _unread = sequence.ToArray();
        return output.WrittenMemory;
    }

    private ReadOnlyMemory<byte> Piece(ReadOnlyMemory<byte> bytes) => view switch
    {
        View.Exact => bytes,
        View.Hex => Encoding.UTF8.GetBytes(_hex.Next(bytes.Span)),
        View.Json => Json(bytes.Span),
        _ => Encoding.UTF8.GetBytes(_screen.Next(bytes.Span)),
    };

    private ReadOnlyMemory<byte> Message(ReadOnlySpan<byte> bytes) => view switch
    {
        View.Hex => Encoding.UTF8.GetBytes(bytes.IsEmpty ? "(empty)\n" : _hex.Next(bytes)),
        View.Json => Json(bytes),
        View.Exact => (byte[])[.. bytes, .. bytes is [.., (byte)'\n'] ? [] : "\n"u8],
        // The line end that the sender gave it is the one that is shown.
        _ => Encoding.UTF8.GetBytes(PeerText.Escape(bytes is [.., (byte)'\n'] ? bytes[..^1] : bytes, int.MaxValue) + "\n"),
    };

    private static byte[] Json(ReadOnlySpan<byte> bytes)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, JsonText.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("length", bytes.Length);
            if (Utf8.IsValid(bytes)) json.WriteString("text", bytes);
            else json.WriteBase64String("base64", bytes);
            json.WriteEndObject();
        }

        return [.. output.WrittenSpan, (byte)'\n'];
    }
}

using System.Text;

namespace Perch.Records;

/// <summary>What a text column can hold of bytes that are not text.</summary>
internal sealed class RecordText
{
    private const int MostKept = 1024 * 1024;

    private byte[] _text = [];

    /// <summary>Valid UTF-8 without NUL: SQLite's own functions end a text there.</summary>
    public static bool IsText(ReadOnlySpan<byte> message) => !message.Contains((byte)0) && System.Text.Unicode.Utf8.IsValid(message);

    /// <summary>Each NUL, and each sequence that is not UTF-8, becomes U+FFFD.</summary>
    /// <returns>Good until the next call.</returns>
    public ReadOnlyMemory<byte> Replace(ReadOnlySpan<byte> message)
    {
        var most = checked(message.Length * 3);
        if (_text.Length < most || (_text.Length > MostKept && most < MostKept)) _text = new byte[most];
        var length = 0;
        while (!message.IsEmpty)
        {
            _ = Rune.DecodeFromUtf8(message, out var rune, out var consumed);
            length += (rune.Value == 0 ? Rune.ReplacementChar : rune).EncodeToUtf8(_text.AsSpan(length));
            message = message[consumed..];
        }
        return _text.AsMemory(0, length);
    }
}

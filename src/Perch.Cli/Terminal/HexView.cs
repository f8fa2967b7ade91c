using System.Globalization;
using System.Text;

namespace Perch.Cli.Terminal;

/// <summary>Bytes as <c>hexdump -C</c> shows them, with an offset that goes on from one call to the next.</summary>
internal sealed class HexView
{
    private const int PerLine = 16;

    private long _offset;

    public string Next(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        while (!bytes.IsEmpty)
        {
            var line = bytes[..Math.Min(PerLine, bytes.Length)];
            text.Append(CultureInfo.InvariantCulture, $"{_offset:x8} ");
            for (var i = 0; i < PerLine; i++) text.Append(i == PerLine / 2 ? " " : "").Append(i < line.Length ? $" {line[i]:x2}" : "   ");
            text.Append("  |");
            foreach (var octet in line) text.Append(octet is >= 0x20 and < 0x7F ? (char)octet : '.');
            text.Append("|\n");
            _offset += line.Length;
            bytes = bytes[line.Length..];
        }

        return text.ToString();
    }
}

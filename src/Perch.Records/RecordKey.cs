using System.Buffers;
using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace Perch.Records;

/// <summary>
/// The key that a sender may put before a message: <c>@&lt;sender&gt;/&lt;sequence&gt; </c>. The sender is 1 to 64
/// letters, digits, dots, underscores and hyphens, the sequence a number from 0 to 2^63-1 without sign.
/// A message that does not begin so has no key.
/// </summary>
/// <param name="SenderLength">Bytes of the sender, which begins at byte 1.</param>
/// <param name="Sequence">The sequence number.</param>
/// <param name="Length">Bytes of the whole key with its space; 0 where there is none.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RecordKey(int SenderLength, long Sequence, int Length)
{
    public const int MaxSenderBytes = 64;

    public static RecordKey Parse(ReadOnlySpan<byte> message)
    {
        if (message is not [(byte)'@', ..]) return default;
        var rest = message[1..];
        var slash = rest[..Math.Min(rest.Length, MaxSenderBytes + 1)].IndexOf((byte)'/');
        if (slash < 1 || rest[..slash].ContainsAnyExcept(SenderBytes)) return default;
        var number = rest[(slash + 1)..];
        if (number.IsEmpty || !char.IsAsciiDigit((char)number[0])) return default;
        return Utf8Parser.TryParse(number, out long sequence, out var digits) && number.Length > digits && number[digits] == ' '
            ? new(slash, sequence, 1 + slash + 1 + digits + 1)
            : default;
    }

    private static readonly SearchValues<byte> SenderBytes =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"u8);
}

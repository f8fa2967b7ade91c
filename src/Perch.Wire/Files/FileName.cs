using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Perch.Wire.Files;

/// <summary>The name of a stored file, and the one place that says which names there are: for TCP, HTTP, TFTP and any store.</summary>
/// <remarks>
/// A name is UTF-8, 1 to <see cref="MaxBytes"/> bytes, in at most <see cref="MaxSegments"/> segments between single slashes. Refused are: an empty segment (so a
/// slash at the begin or the end, and two in a row); a segment that begins with a dot (so <c>.</c> and <c>..</c> too: no name
/// climbs, and names that begin with a dot are the store's own); a segment of more than <see cref="MaxSegmentBytes"/> bytes; a
/// backslash; control characters (C0 with NUL, DEL, C1), line and paragraph separators, and the bidirectional embeddings,
/// overrides and isolates that show a name as another. Nothing is decoded, folded or normalized: <c>%2e%2e</c> is six
/// letters, and two spellings are two names.
/// </remarks>
public sealed class FileName : IEquatable<FileName>, IComparable<FileName>
{
    /// <summary>Most bytes of a whole name.</summary>
    public const int MaxBytes = 1024;

    /// <summary>Most bytes of one segment: what file systems take.</summary>
    public const int MaxSegmentBytes = 255;

    /// <summary>Most segments of a name.</summary>
    public const int MaxSegments = 32;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private FileName(string value) => Value = value;

    /// <summary>The whole name.</summary>
    public string Value { get; }

    /// <summary>What stands between the slashes: at least one.</summary>
    public string[] Segments() => Value.Split('/');

    /// <summary>Checks the bytes of a peer.</summary>
    /// <param name="utf8">The name as it came.</param>
    /// <param name="name">The name, where it is one.</param>
    /// <param name="fault">The rule that it breaks, safe to send to a peer; null where it is a name.</param>
    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out FileName? name, [NotNullWhen(false)] out string? fault)
    {
        fault = FaultOf(utf8, isPrefix: false);
        name = fault is null ? new(Encoding.UTF8.GetString(utf8)) : null;
        return name is not null;
    }

    /// <summary>Checks text that is decoded already.</summary>
    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out FileName?, out string?)"/>
    public static bool TryParse(string text, [NotNullWhen(true)] out FileName? name, [NotNullWhen(false)] out string? fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        name = null;
        return TryEncode(text, out var utf8, out fault) && TryParse(utf8, out name, out fault);
    }

    /// <summary>Whether a name can begin with this: what <c>LIST</c> takes. The empty text is one.</summary>
    /// <param name="utf8">The prefix as it came.</param>
    /// <param name="prefix">The prefix as text.</param>
    /// <param name="fault">The rule that every such name would break, safe to send to a peer.</param>
    public static bool TryParsePrefix(ReadOnlySpan<byte> utf8, out string prefix, [NotNullWhen(false)] out string? fault)
    {
        fault = utf8.IsEmpty ? null : FaultOf(utf8, isPrefix: true);
        prefix = fault is null ? Encoding.UTF8.GetString(utf8) : "";
        return fault is null;
    }

    /// <inheritdoc cref="TryParsePrefix(ReadOnlySpan{byte}, out string, out string?)"/>
    public static bool TryParsePrefix(string text, out string prefix, [NotNullWhen(false)] out string? fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        prefix = "";
        return TryEncode(text, out var utf8, out fault) && TryParsePrefix(utf8, out prefix, out fault);
    }

    /// <summary>The order of names: that of their UTF-8 bytes.</summary>
    public static int Compare(ReadOnlySpan<char> left, ReadOnlySpan<char> right)
    {
        var same = left.CommonPrefixLength(right);
        if (same == left.Length || same == right.Length) return left.Length.CompareTo(right.Length);
        var (a, b) = (left[same], right[same]);
        // UTF-16 puts surrogates, which stand for the highest code points, below U+E000 to U+FFFF.
        return (char.IsSurrogate(a), char.IsSurrogate(b)) switch
        {
            (true, false) when b > '\uDFFF' => 1,
            (false, true) when a > '\uDFFF' => -1,
            _ => a.CompareTo(b),
        };
    }

    /// <inheritdoc/>
    public int CompareTo(FileName? other) => other is null ? 1 : Compare(Value, other.Value);

    /// <inheritdoc/>
    public bool Equals(FileName? other) => other is not null && string.Equals(Value, other.Value, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as FileName);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Value);

    /// <inheritdoc/>
    public override string ToString() => Value;

    /// <summary>Whether both are the same name.</summary>
    public static bool operator ==(FileName? left, FileName? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Whether they are different names.</summary>
    public static bool operator !=(FileName? left, FileName? right) => !(left == right);

    /// <summary>Whether the left stands before the right.</summary>
    public static bool operator <(FileName? left, FileName? right) => left is null ? right is not null : left.CompareTo(right) < 0;

    /// <summary>Whether the left stands behind the right.</summary>
    public static bool operator >(FileName? left, FileName? right) => right < left;

    /// <summary>Whether the left does not stand behind the right.</summary>
    public static bool operator <=(FileName? left, FileName? right) => !(left > right);

    /// <summary>Whether the left does not stand before the right.</summary>
    public static bool operator >=(FileName? left, FileName? right) => !(left < right);

    private static bool TryEncode(string text, out byte[] utf8, [NotNullWhen(false)] out string? fault)
    {
        // Counted first: what is far too long is not encoded.
        (utf8, fault) = ([], text.Length > MaxBytes ? TooLong : null);
        if (fault is not null) return false;
        try
        {
            utf8 = Strict.GetBytes(text);
        }
        catch (EncoderFallbackException)
        {
            fault = NotUtf8;
        }

        return fault is null;
    }

    private const string NotUtf8 = "a name is valid UTF-8";
    private static readonly string TooLong = $"a name has at most {MaxBytes} bytes";

    private static string? FaultOf(ReadOnlySpan<byte> utf8, bool isPrefix)
    {
        if (utf8.IsEmpty) return "a name is not empty";
        if (utf8.Length > MaxBytes) return TooLong;
        if (!Utf8.IsValid(utf8)) return NotUtf8;
        for (var rest = utf8; !rest.IsEmpty;)
        {
            _ = Rune.DecodeFromUtf8(rest, out var rune, out var consumed);
            if (rune.Value == '\\') return "a name has no backslash";
            if (IsForbidden(rune)) return "a name has no control characters";
            rest = rest[consumed..];
        }

        if (utf8.Count((byte)'/') >= MaxSegments) return $"a name has at most {MaxSegments} segments";
        foreach (var range in utf8.Split((byte)'/'))
        {
            var segment = utf8[range];
            var isOpen = isPrefix && range.End.Value == utf8.Length;
            if (segment.IsEmpty && !isOpen) return "a name has no empty segment, and no slash at its begin or end";
            if (segment is [(byte)'.', ..]) return "no segment of a name begins with a dot";
            if (segment.Length > MaxSegmentBytes) return $"a segment of a name has at most {MaxSegmentBytes} bytes";
        }

        return null;
    }

    private static bool IsForbidden(Rune rune) =>
        rune.Value is (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}

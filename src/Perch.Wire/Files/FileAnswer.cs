using System.Buffers;
using System.Globalization;
using System.Text;
using Perch.Wire.Framings;

namespace Perch.Wire.Files;

/// <summary>One answer line of the protocol <c>files</c>, as a client reads it.</summary>
/// <remarks>
/// <code>
/// "OK" [SP length or count] *(SP key "=" value) LF        keys: sha256, total, modified, partial
/// "ERR" SP code SP text LF
/// </code>
/// Unknown keys are passed over, so that a server may tell more. What a key stands for says its command.
/// </remarks>
public sealed record FileAnswer
{
    /// <summary>The bound of a line, its end not counted.</summary>
    public const int MaxLineBytes = FileCommand.MaxLineBytes;

    private const int HashHexDigits = 64;
    private const int MaxCodeChars = 32;

    /// <summary>Whether the command was done; else <see cref="Code"/> and <see cref="Text"/> say why not.</summary>
    public required bool IsOk { get; init; }

    /// <summary>The number behind <c>OK</c>: bytes of the file or of what follows, or how many lines follow; null where there is none.</summary>
    public long? Length { get; init; }

    /// <summary>The hash of the whole file in 64 lower-case digits, or null.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Bytes of the whole file, or null.</summary>
    public long? Total { get; init; }

    /// <summary>When it was stored, or null.</summary>
    public DateTimeOffset? Modified { get; init; }

    /// <summary>Durable bytes of an upload that is not finished; 0 where there is none.</summary>
    public long Partial { get; init; }

    /// <summary>The error's code in lower-case letters and hyphens; empty where it is none.</summary>
    public string Code { get; init; } = "";

    /// <summary>The error's text as the peer sent it: escape it before a person sees it.</summary>
    public string Text { get; init; } = "";

    /// <summary>Takes the next answer, if its whole line has arrived.</summary>
    /// <param name="buffer">The unread bytes; moved past the line.</param>
    /// <param name="scanned">As of <see cref="LineFraming.TryRead(ref ReadOnlySequence{byte}, int, ref long, out ReadOnlySequence{byte})"/>.</param>
    /// <param name="answer">The answer.</param>
    /// <exception cref="ProtocolException"><c>too-long</c> or <c>malformed</c>.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, ref long scanned, out FileAnswer? answer)
    {
        answer = LineFraming.TryRead(ref buffer, MaxLineBytes, ref scanned, out var line) ? Parse(Encoding.UTF8.GetString(line)) : null;
        return answer is not null;
    }

    /// <summary>Reads one line without its end.</summary>
    /// <exception cref="ProtocolException"><c>malformed</c>.</exception>
    public static FileAnswer Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var words = line.Split(' ');
        return words[0] switch
        {
            "OK" => ParseOk(words.AsSpan(1)),
            "ERR" when words.Length > 1 && IsCode(words[1]) => new() { IsOk = false, Code = words[1], Text = string.Join(' ', words.Skip(2)) },
            _ => throw Malformed(),
        };
    }

    private static FileAnswer ParseOk(ReadOnlySpan<string> words)
    {
        var answer = new FileAnswer { IsOk = true };
        for (var i = 0; i < words.Length; i++)
        {
            var equals = words[i].IndexOf('=', StringComparison.Ordinal);
            if (equals < 0 && i == 0)
            {
                answer = answer with { Length = Number(words[i]) };
                continue;
            }

            var value = equals < 0 ? throw Malformed() : words[i][(equals + 1)..];
            answer = words[i][..equals] switch
            {
                "sha256" => answer with { Sha256 = Hash(value) },
                "total" => answer with { Total = Number(value) },
                "partial" => answer with { Partial = Number(value) },
                "modified" => answer with { Modified = Time(value) },
                _ => answer,
            };
        }

        return answer;
    }

    private static bool IsCode(string word) => word.Length is > 0 and <= MaxCodeChars && word.All(c => char.IsAsciiLetterLower(c) || c == '-');

    internal static long Number(string digits) => long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Malformed();

    internal static string Hash(string hex) => hex.Length == HashHexDigits && hex.All(char.IsAsciiHexDigitLower) ? hex : throw Malformed();

    internal static DateTimeOffset Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : throw Malformed();

    internal static ProtocolException Malformed() => new("malformed", "The answer is none of the protocol files: OK or ERR and what belongs to it.");
}

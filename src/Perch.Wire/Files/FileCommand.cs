using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Perch.Wire.Framings;

namespace Perch.Wire.Files;

/// <summary>One command line of the protocol <c>files</c>.</summary>
/// <remarks>
/// <code>
/// PUT SP name SP length [SP "sha256=" 64HEX] [SP "offset=" n] LF, then length - offset bytes
/// GET SP name [SP "offset=" n] [SP "length=" n] LF
/// STAT SP name LF
/// LIST [SP prefix] [SP "after=" name] [SP "limit=" n] LF
/// DELETE SP name LF
/// QUIT LF
/// </code>
/// LF or CR LF ends a line of at most <see cref="MaxLineBytes"/>. Verbs are in capitals. Numbers are digits without sign, 0 to
/// 2^63-1. The arguments behind the name come in any order, each at most once. A name may have spaces: it is what is
/// left when the arguments are taken from the end, so a name that ends like an argument cannot be said here.
/// A name that breaks the rules of <see cref="FileName"/> is a <see cref="NameFault"/> and not malformed: the line is
/// understood, and the bytes behind a <c>PUT</c> can be skipped.
/// </remarks>
public sealed record FileCommand
{
    /// <summary>The bound of a line, its end not counted: a name and all arguments, twice over.</summary>
    public const int MaxLineBytes = 4096;

    /// <summary>How many files <c>LIST</c> tells at most.</summary>
    public const int MaxLimit = 1000;

    private const int HashHexDigits = 64;

    /// <summary>What is asked for.</summary>
    public required FileVerb Verb { get; init; }

    /// <summary>Which file; null for <c>LIST</c> and <c>QUIT</c>, and where <see cref="NameFault"/> is not.</summary>
    public FileName? Name { get; init; }

    /// <summary>The rule that the name, prefix or <c>after</c> breaks, safe to send to the peer; else null.</summary>
    public string? NameFault { get; init; }

    /// <summary><c>PUT</c>: bytes of the whole file. <c>GET</c>: most bytes to send, or null for all. Else null.</summary>
    public long? Length { get; init; }

    /// <summary><c>PUT</c>, <c>GET</c>: where the bytes begin in the file; never behind <see cref="Length"/> of a <c>PUT</c>.</summary>
    public long Offset { get; init; }

    /// <summary><c>PUT</c>: the hash of the whole file in 64 lower-case digits, or null.</summary>
    public string? Sha256 { get; init; }

    /// <summary><c>LIST</c>: only names that begin so.</summary>
    public string Prefix { get; init; } = "";

    /// <summary><c>LIST</c>: only names behind this one; empty for the first page.</summary>
    public string After { get; init; } = "";

    /// <summary><c>LIST</c>: at most so many, 1 to <see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = MaxLimit;

    /// <summary>How many bytes stand behind the line.</summary>
    public long PayloadBytes => Verb == FileVerb.Put ? Length.GetValueOrDefault() - Offset : 0;

    /// <summary>Takes the next command, if its whole line has arrived. Empty lines are skipped.</summary>
    /// <param name="buffer">The unread bytes; moved past the line, and past empty ones.</param>
    /// <param name="scanned">As of <see cref="LineFraming.TryRead(ref ReadOnlySequence{byte}, int, ref long, out ReadOnlySequence{byte})"/>.</param>
    /// <param name="command">The command.</param>
    /// <exception cref="ProtocolException"><c>too-long</c> or <c>malformed</c>: what follows cannot be told from file contents.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, ref long scanned, out FileCommand? command)
    {
        command = null;
        while (LineFraming.TryRead(ref buffer, MaxLineBytes, ref scanned, out var line))
        {
            if (line.IsEmpty) continue;
            command = Parse(line.IsSingleSegment ? line.FirstSpan : line.ToArray());
            return true;
        }

        return false;
    }

    /// <summary>Reads one line without its end.</summary>
    /// <exception cref="ProtocolException"><c>malformed</c>.</exception>
    public static FileCommand Parse(ReadOnlySpan<byte> line)
    {
        var space = line.IndexOf((byte)' ');
        var verb = space < 0 ? line : line[..space];
        var rest = space < 0 ? default : line[(space + 1)..];
        if (verb.SequenceEqual("PUT"u8)) return ParsePut(rest);
        if (verb.SequenceEqual("GET"u8)) return ParseGet(rest);
        if (verb.SequenceEqual("STAT"u8)) return Named(FileVerb.Stat, rest);
        if (verb.SequenceEqual("DELETE"u8)) return Named(FileVerb.Delete, rest);
        if (verb.SequenceEqual("LIST"u8)) return ParseList(rest);
        if (verb.SequenceEqual("QUIT"u8) && space < 0) return new() { Verb = FileVerb.Quit };
        throw Malformed("The commands are PUT, GET, STAT, LIST, DELETE and QUIT.");
    }

    /// <summary>Writes the line with its LF: what <see cref="Parse"/> reads as the same command.</summary>
    /// <param name="output">Where the line goes.</param>
    public void Write(IBufferWriter<byte> output)
    {
        var line = new StringBuilder(Verb.ToString().ToUpperInvariant());
        if (Name is not null) line.Append(' ').Append(Name.Value);
        if (Verb == FileVerb.Put) line.Append(CultureInfo.InvariantCulture, $" {Length.GetValueOrDefault()}");
        if (Sha256 is not null) line.Append(" sha256=").Append(Sha256);
        if (Offset > 0) line.Append(CultureInfo.InvariantCulture, $" offset={Offset}");
        if (Verb == FileVerb.Get && Length is { } length) line.Append(CultureInfo.InvariantCulture, $" length={length}");
        if (Prefix.Length > 0) line.Append(' ').Append(Prefix);
        if (After.Length > 0) line.Append(" after=").Append(After);
        if (Verb == FileVerb.List && Limit != MaxLimit) line.Append(CultureInfo.InvariantCulture, $" limit={Limit}");
        LineFraming.Write(output, Encoding.UTF8.GetBytes(line.ToString()));
    }

    private static FileCommand ParsePut(ReadOnlySpan<byte> rest)
    {
        string? sha256 = null;
        long? offset = null;
        while (true)
        {
            var word = LastWord(rest, out var before);
            if (sha256 is null && word.StartsWith("sha256="u8)) sha256 = Hash(word["sha256="u8.Length..]);
            else if (offset is null && word.StartsWith("offset="u8)) offset = Number(word["offset="u8.Length..], "offset");
            else break;
            rest = before;
        }

        var length = Number(LastWord(rest, out rest), "the length of PUT");
        if (offset > length) throw Malformed("The offset of PUT is behind the length: the length is that of the whole file.");
        return Named(FileVerb.Put, rest) with { Length = length, Offset = offset ?? 0, Sha256 = sha256 };
    }

    private static FileCommand ParseGet(ReadOnlySpan<byte> rest)
    {
        long? offset = null, length = null;
        while (true)
        {
            var word = LastWord(rest, out var before);
            if (offset is null && word.StartsWith("offset="u8)) offset = Number(word["offset="u8.Length..], "offset");
            else if (length is null && word.StartsWith("length="u8)) length = Number(word["length="u8.Length..], "length");
            else break;
            rest = before;
        }

        return Named(FileVerb.Get, rest) with { Length = length, Offset = offset ?? 0 };
    }

    private static FileCommand ParseList(ReadOnlySpan<byte> rest)
    {
        var limit = MaxLimit;
        if (LastWord(rest, out var before) is var word && word.StartsWith("limit="u8))
        {
            var given = Number(word["limit="u8.Length..], "limit");
            limit = given is >= 1 and <= MaxLimit ? (int)given : throw Malformed($"The limit of LIST is 1 to {MaxLimit}.");
            rest = before;
        }

        ReadOnlySpan<byte> after = default;
        var at = rest.StartsWith("after="u8) ? 0 : rest.LastIndexOf(" after="u8) + 1;
        if (at > 0 || rest.StartsWith("after="u8))
        {
            after = rest[(at + "after="u8.Length)..];
            rest = rest[..Math.Max(0, at - 1)];
            if (after.IsEmpty) throw Malformed("The name of after= is missing.");
        }

        var isGood = FileName.TryParsePrefix(rest, out var prefix, out var fault);
        isGood = FileName.TryParsePrefix(after, out var afterName, out var afterFault) && isGood;
        return new() { Verb = FileVerb.List, Prefix = prefix, After = afterName, Limit = limit, NameFault = isGood ? null : fault ?? afterFault };
    }

    private static FileCommand Named(FileVerb verb, ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty) throw Malformed("The command has no name.");
        _ = FileName.TryParse(name, out var parsed, out var fault);
        return new() { Verb = verb, Name = parsed, NameFault = fault };
    }

    /// <summary>What stands behind the last space, and what before it.</summary>
    private static ReadOnlySpan<byte> LastWord(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> before)
    {
        var space = text.LastIndexOf((byte)' ');
        before = space < 0 ? default : text[..space];
        return text[(space + 1)..];
    }

    private static long Number(ReadOnlySpan<byte> digits, string what) =>
        !digits.IsEmpty && !digits.ContainsAnyExceptInRange((byte)'0', (byte)'9') && Utf8Parser.TryParse(digits, out long value, out var used) && used == digits.Length
            ? value
            : throw Malformed($"Not a number from 0 to 2^63-1: {what}.");

    private static string Hash(ReadOnlySpan<byte> hex) =>
        hex.Length == HashHexDigits && !hex.ContainsAnyExcept(HexDigits)
            ? Encoding.ASCII.GetString(hex).ToLowerInvariant()
            : throw Malformed("Not a hash of 64 hexadecimal digits: sha256.");

    private static ProtocolException Malformed(string text) => new("malformed", text);

    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);
}

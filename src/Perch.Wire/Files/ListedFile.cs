using System.Buffers;
using System.Text;
using Perch.Wire.Framings;

namespace Perch.Wire.Files;

/// <summary>One line of the answer to <c>LIST</c>: <c>length SP sha256 SP modified SP name LF</c>.</summary>
/// <param name="Name">Checked: no name climbs, whatever the server sent.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Sha256">64 lower-case digits.</param>
/// <param name="Modified">When it was stored.</param>
public sealed record ListedFile(FileName Name, long Length, string Sha256, DateTimeOffset Modified)
{
    private const int Fields = 4;

    /// <summary>Takes the next line, if all of it has arrived.</summary>
    /// <param name="buffer">The unread bytes; moved past the line.</param>
    /// <param name="scanned">As of <see cref="LineFraming.TryRead(ref ReadOnlySequence{byte}, int, ref long, out ReadOnlySequence{byte})"/>.</param>
    /// <param name="file">The file.</param>
    /// <exception cref="ProtocolException"><c>too-long</c>, <c>malformed</c>, or <c>name</c>: one that breaks the rules of <see cref="FileName"/>.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, ref long scanned, out ListedFile? file)
    {
        file = LineFraming.TryRead(ref buffer, FileAnswer.MaxLineBytes, ref scanned, out var line) ? Parse(Encoding.UTF8.GetString(line)) : null;
        return file is not null;
    }

    /// <summary>Reads one line without its end.</summary>
    /// <exception cref="ProtocolException"><c>malformed</c> or <c>name</c>.</exception>
    public static ListedFile Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        // A name may have spaces.
        var fields = line.Split(' ', Fields);
        if (fields.Length != Fields) throw FileAnswer.Malformed();
        var length = FileAnswer.Number(fields[0]);
        if (!FileName.TryParse(fields[3], out var name, out var fault)) throw new ProtocolException("name", $"The list has a name that is none: {fault}");
        return new(name, length, FileAnswer.Hash(fields[1]), FileAnswer.Time(fields[2]));
    }
}

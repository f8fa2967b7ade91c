using System.Buffers;
using System.Globalization;
using System.Text;
using Perch.Cli.Files;

namespace Perch.Cli.Record;

/// <summary>
/// The lines that were read and are not acknowledged, in memory and in a file, so that the next run sends them again under their
/// old keys. One process at a time; it survives a kill at any moment, and a power cut as far as the system had written it.
/// Not for several threads.
/// </summary>
/// <remarks>
/// <code>
/// perch-record 1 SENDER LF      the first line
/// "=" sequence LF               the oldest that waits, or the next
/// "+" sequence SP line LF       was read, before it was sent
/// "-" sequence LF               all up to this one are stored
/// </code>
/// A last line without its LF was cut off and counts for nothing: what it has was not sent. The file is made anew, and takes the
/// old one's name, when it is opened and when it has grown.
/// </remarks>
internal sealed class RecordJournal : IDisposable
{
    private const string Magic = "perch-record 1 ";
    private const long LargestBytes = 4 * 1024 * 1024;

    private readonly string _path;
    private readonly Dictionary<long, byte[]> _lines = [];
    private readonly ArrayBufferWriter<byte> _unwritten = new();
    private FileStream _file;
    private long _restartAt = LargestBytes;

    private RecordJournal(string path, FileStream file, string sender) => (_path, _file, Sender) = (path, file, sender);

    /// <summary>The first half of the keys.</summary>
    public string Sender { get; private set; }

    /// <summary>The oldest line that waits; <see cref="Next"/> where none does.</summary>
    public long First { get; private set; }

    /// <summary>The number of the next line.</summary>
    public long Next { get; private set; }

    /// <summary>A line from <see cref="First"/> to <see cref="Next"/> - 1.</summary>
    public byte[] this[long sequence] => _lines[sequence];

    /// <param name="path">The file; its folder is made.</param>
    /// <param name="sender">Null: the one in the file, else one of its own.</param>
    /// <param name="time">Tells where a new file's numbers begin.</param>
    /// <exception cref="CliException">It is in use, is none, or belongs to another sender.</exception>
    public static RecordJournal Open(string path, string? sender, TimeProvider time)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        var journal = new RecordJournal(path, OpenFile(path), sender ?? string.Concat("perch-", Guid.NewGuid().ToString("N").AsSpan(0, 12)));
        try
        {
            journal.Read(sender, time);
            journal.Restart();
            return journal;
        }
        catch
        {
            journal._file.Dispose();
            throw;
        }
    }

    /// <summary>Takes a line, which <see cref="Write"/> puts into the file; only then it may be sent.</summary>
    public void Add(ReadOnlySpan<byte> line)
    {
        _lines[Next] = line.ToArray();
        AppendLine(Next++);
    }

    /// <summary>Notes that the oldest is stored. Where the note is lost, it is sent again, and stored once.</summary>
    public void Acknowledge() => _lines.Remove(First++);

    /// <summary>Writes what was noted.</summary>
    public void Write()
    {
        Append('-', First - 1);
        _unwritten.Write("\n"u8);
        _file.Write(_unwritten.WrittenSpan);
        _unwritten.ResetWrittenCount();
        if (_file.Position > _restartAt) Restart();
    }

    public void Dispose()
    {
        Write();
        _file.Dispose();
    }

    private static FileStream OpenFile(string path)
    {
        LocalPath.RequireReplaceable(path);
        try
        {
            return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException exception) when (File.Exists(path))
        {
            throw new CliException(ExitCode.LocalFile, $"{path} cannot be used: {exception.Message.TrimEnd('.')}. A run beside another needs its own --state.");
        }
    }

    private void AppendLine(long sequence)
    {
        Append('+', sequence);
        _unwritten.Write(" "u8);
        _unwritten.Write(_lines[sequence]);
        _unwritten.Write("\n"u8);
    }

    private void Append(char mark, long sequence) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{mark}{sequence}"), _unwritten);

    private void Read(string? sender, TimeProvider time)
    {
        // Never used before by this sender: were the numbers of a lost file used again, the server would take new lines for old.
        var fresh = time.GetUtcNow().ToUnixTimeMilliseconds() * 1000;
        (First, Next) = (fresh, fresh);
        var all = new byte[_file.Length];
        _file.ReadExactly(all);
        var rest = all.AsSpan();
        for (var isFirst = true; rest.IndexOf((byte)'\n') is var end and >= 0; isFirst = false)
        {
            if (!(isFirst ? TryReadSender(rest[..end]) : TryReadEntry(rest[..end]))) throw NoJournal();
            rest = rest[(end + 1)..];
        }

        if (rest.Length == all.Length && all.Length > 0) throw NoJournal();
        if (sender is null || sender == Sender) return;
        if (Next > First) throw new CliException(ExitCode.Usage, $"{_path} has {Next - First} lines of the sender {Sender} that are not stored yet: send them first, without --sender.");
        (Sender, First, Next) = (sender, fresh, fresh);
    }

    private CliException NoJournal() => new(ExitCode.LocalFile, $"{_path} is no state of perch record: give another --state.");

    private bool TryReadSender(ReadOnlySpan<byte> line)
    {
        var text = Encoding.UTF8.GetString(line);
        if (!text.StartsWith(Magic, StringComparison.Ordinal) || !SenderName.IsValid(text[Magic.Length..])) return false;
        Sender = text[Magic.Length..];
        return true;
    }

    private bool TryReadEntry(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty) return false;
        var space = line[0] == (byte)'+' ? line.IndexOf((byte)' ') : line.Length;
        if (space < 0 || !long.TryParse(line[1..space], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var sequence)) return false;
        switch (line[0])
        {
            case (byte)'=':
                (First, Next) = (sequence, sequence);
                return true;
            case (byte)'+' when sequence == Next:
                _lines[Next++] = line[(space + 1)..].ToArray();
                return true;
            case (byte)'-' when sequence < Next:
                while (First <= sequence) _lines.Remove(First++);
                return true;
            default:
                return false;
        }
    }

    private void Restart()
    {
        var next = new FileStream(_path + "~", FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        try
        {
            _unwritten.ResetWrittenCount();
            Encoding.UTF8.GetBytes($"{Magic}{Sender}\n", _unwritten);
            Append('=', First);
            _unwritten.Write("\n"u8);
            for (var sequence = First; sequence < Next; sequence++) AppendLine(sequence);
            next.Write(_unwritten.WrittenSpan);
            _unwritten.ResetWrittenCount();
            File.Move(next.Name, _path, overwrite: true);
        }
        catch
        {
            next.Dispose();
            throw;
        }

        // Both are locked until the new one has the name: no other run comes between.
        _file.Dispose();
        _file = next;
        _restartAt = next.Position + LargestBytes;
    }
}

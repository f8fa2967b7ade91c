namespace Perch.Cli.Net;

/// <summary>Lines of a stream as bytes, without their LF or CR LF; a last line without an end is one too.</summary>
/// <param name="read">Where they come from; 0 bytes are the end.</param>
/// <param name="maxLineBytes">The bound of one line.</param>
internal sealed class LineSource(Func<Memory<byte>, CancellationToken, ValueTask<int>> read, int maxLineBytes = Outgoing.MaxMessageBytes)
{
    private const int FirstBufferBytes = 64 * 1024;

    private byte[] _buffer = new byte[FirstBufferBytes];
    private int _start;
    private int _end;
    private int _scanned;
    private bool _isAtEnd;

    public LineSource(Stream stream)
        : this(stream.ReadAsync)
    {
    }

    /// <summary>Whether a whole line is there, so that the next read does not wait.</summary>
    public bool HasLine => _isAtEnd || _buffer.AsSpan(_start + _scanned, _end - _start - _scanned).Contains((byte)'\n');

    /// <returns>The line, valid until the next call; null at the end.</returns>
    /// <exception cref="CliException">The line is longer than the bound.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var unread = _buffer.AsMemory(_start, _end - _start);
            var end = unread.Span[_scanned..].IndexOf((byte)'\n');
            if (end >= 0)
            {
                var line = unread[..(_scanned + end)];
                _start += line.Length + 1;
                _scanned = 0;
                return line is { IsEmpty: false } && line.Span[^1] == (byte)'\r' ? line[..^1] : line;
            }

            if (_isAtEnd)
            {
                (_start, _scanned) = (_end, 0);
                // A bare null would be an empty array, and so an empty line, without end.
                return unread.IsEmpty ? default(ReadOnlyMemory<byte>?) : unread;
            }

            _scanned = unread.Length;
            if (_scanned > maxLineBytes) throw new CliException(ExitCode.Refused, $"A line has more than {maxLineBytes} bytes.");
            MakeRoom();
            var count = await read(_buffer.AsMemory(_end), cancellationToken);
            _end += count;
            _isAtEnd = count == 0;
        }
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
    }
}

namespace Perch.Cli;

/// <summary>Passes bytes on to a terminal and knows whether the last of them ended a line.</summary>
internal sealed class LineEndStream(Stream terminal) : Stream
{
    public bool IsAtLineStart { get; private set; } = true;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() => terminal.Flush();

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (!buffer.IsEmpty) IsAtLineStart = buffer[^1] == (byte)'\n';
        terminal.Write(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!buffer.IsEmpty) IsAtLineStart = buffer.Span[^1] == (byte)'\n';
        return terminal.WriteAsync(buffer, cancellationToken);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

using System.Runtime.CompilerServices;
using System.Text;
using Perch.Cli.Net;

namespace Perch.Cli.Send;

/// <summary>The messages of a command line: texts, standard input, files, or the lines of these.</summary>
/// <param name="console">Has standard input.</param>
/// <param name="texts">What was given; empty: standard input.</param>
/// <param name="byLine">Each line of a stream is a message.</param>
/// <param name="isWhole">A message is needed whole; else a stream's comes in pieces of any size, and is never held.</param>
internal sealed class MessageSource(CliConsole console, string[] texts, bool byLine, bool isWhole)
{
    private const int PieceBytes = 64 * 1024;

    /// <returns>Each is valid until the next.</returns>
    /// <exception cref="CliException">A file cannot be read, or a message is too long to be held.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var text in texts.Length == 0 ? ["-"] : texts)
        {
            if (text != "-" && !text.StartsWith('@'))
            {
                yield return Encoding.UTF8.GetBytes(text);
                continue;
            }

            // A FIFO is opened when its writer opens it, however long that takes.
            var stream = text == "-" ? console.Input
                : await Task.Run(() => Open(text[1..]), cancellationToken).WaitAsync(cancellationToken);
            await using var file = text == "-" ? null : stream;
            await foreach (var message in ReadAsync(stream, cancellationToken)) yield return message;
        }
    }

    private IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(Stream stream, CancellationToken cancellationToken) =>
        byLine ? ReadLinesAsync(stream, cancellationToken) : isWhole ? ReadWholeAsync(stream, cancellationToken) : ReadPiecesAsync(stream, cancellationToken);

    private static FileStream Open(string path)
    {
        try
        {
            return new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new CliException(ExitCode.LocalFile, $"{path} cannot be read: {exception.Message}");
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadLinesAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var lines = new LineSource(stream);
        while (await lines.ReadAsync(cancellationToken) is { } line) yield return line;
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadPiecesAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[PieceBytes];
        while (await stream.ReadAsync(buffer, cancellationToken) is var read and > 0) yield return buffer.AsMemory(0, read);
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadWholeAsync(Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var all = new MemoryStream();
        await foreach (var piece in ReadPiecesAsync(stream, cancellationToken))
        {
            all.Write(piece.Span);
            if (all.Length > Outgoing.MaxMessageBytes) throw new CliException(ExitCode.Usage, $"A message has at most {Outgoing.MaxMessageBytes} bytes; --framing chunk sends more, and --lines cuts it.");
        }

        yield return all.GetBuffer().AsMemory(0, (int)all.Length);
    }
}

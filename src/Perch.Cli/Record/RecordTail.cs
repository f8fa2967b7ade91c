using System.Buffers.Text;
using Perch.Cli.Admin;

namespace Perch.Cli.Record;

/// <summary>
/// Follows <c>/records/stream</c> (server-sent events, WHATWG HTML 9.2) over any number of lost connections. The server sends its
/// position first, so a stream that is cut off before the first record goes on there.
/// </summary>
/// <param name="console">Standard error gets the failures.</param>
/// <param name="link">The admin endpoint.</param>
/// <param name="printer">Prints the records.</param>
/// <param name="pause">Time between two connections; default 1 s.</param>
internal sealed class RecordTail(CliConsole console, AdminLink link, RecordPrinter printer, TimeSpan? pause = null)
{
    private static readonly TimeSpan DefaultPause = TimeSpan.FromSeconds(1);

    /// <summary>The server sends something every 15 s.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(45);

    private long? _after;

    /// <summary>The id of a block that is not complete; one that is cut off counts for nothing.</summary>
    private long? _position;

    /// <param name="after">The stream begins after this id; null: after the last record.</param>
    /// <param name="filter">Further parameters of the query, as <c>key=value</c>.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <exception cref="CliException">The first connection failed, or the server refuses for good.</exception>
    public async Task RunAsync(long? after, IReadOnlyList<string> filter, CancellationToken cancellationToken)
    {
        _after = after;
        string? reported = null;
        for (var isFirst = true; ; isFirst = false)
        {
            try
            {
                string[] query = [.. filter, .. _after is null ? Array.Empty<string>() : [$"after={_after}"]];
                await foreach (var line in link.GetLinesAsync($"records/stream?{string.Join('&', query)}", Silence, cancellationToken))
                {
                    (isFirst, reported) = (false, null);
                    await TakeAsync(line);
                }
            }
            catch (CliException exception) when (exception.IsTemporary || (!isFirst && exception.IsOfConnection))
            {
                // Once for each cause: an outage may be long.
                if (reported != exception.Message)
                    await console.SayAsync($"perch: {exception.Message} Trying again.");
                reported = exception.Message;
            }

            _position = null;
            await Task.Delay(pause ?? DefaultPause, cancellationToken);
        }
    }

    private async Task TakeAsync(ReadOnlyMemory<byte> line)
    {
        if (line.Span.StartsWith("data: "u8))
        {
            _after = await printer.PrintAsync(line["data: ".Length..]);
        }
        else if (line.Span.StartsWith("id: "u8))
        {
            var text = line.Span["id: ".Length..];
            if (Utf8Parser.TryParse(text, out long id, out var length) && length == text.Length)
                _position = id;
        }
        else if (line.IsEmpty && _position is { } complete)
        {
            (_after, _position) = (complete, null);
        }
    }
}

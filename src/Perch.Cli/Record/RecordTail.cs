using Perch.Cli.Admin;

namespace Perch.Cli.Record;

/// <summary>Follows <c>/records/stream</c> (server-sent events, WHATWG HTML 9.2) over any number of lost connections.</summary>
internal sealed class RecordTail(CliConsole console, AdminLink link, RecordPrinter printer)
{
    /// <summary>The server says something every 15 s.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public async Task RunAsync(long? after, CancellationToken cancellationToken)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            try
            {
                await foreach (var line in link.GetLinesAsync(after is null ? "records/stream" : $"records/stream?after={after}", Silence, cancellationToken))
                {
                    if (line.Span.StartsWith("data: "u8)) after = await printer.PrintAsync(line["data: ".Length..]);
                    isFirst = false;
                }
            }
            catch (CliException exception) when (!isFirst && exception.ExitCode is ExitCode.Cut or ExitCode.TimedOut or ExitCode.Unreachable)
            {
                if (isFirst) throw;
                await console.SayAsync($"perch: {exception.Message} Trying again.");
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }
}

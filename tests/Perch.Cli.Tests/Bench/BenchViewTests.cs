using System.Text;
using Perch.Cli.Bench;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Bench;

public sealed class BenchViewTests
{
    /// <summary>A picture is drawn over the one before: a row that wraps or scrolls away would be left behind.</summary>
    [Theory]
    [InlineData(120, 40)]
    [InlineData(30, 6)]
    public async Task Show_OnATerminal_FitsIntoIt(int columns, int rows)
    {
        var ending = new TaskCompletionSource();
        using var terminal = new Screen();
        var progress = new BenchProgress { IsMeasuring = true, Up = 2 };
        for (var value = 1_000; value < 100_000_000; value *= 2) progress.Latency.Record(value);
        var showing = new BenchView(new(Stream.Null, Stream.Null, terminal) { IsErrorTerminal = true, Size = () => (columns, rows) }, "a.host.with.a.long.name:25000", new()).ShowAsync(progress, ending.Task);
        var picture = await terminal.Drawn.WaitAsync(CliRun.Deadline);
        ending.SetResult();
        await showing;
        var lines = picture[(picture.IndexOf("\u001b[J", StringComparison.Ordinal) + 3)..].Split('\n');
        Assert.Contains("a.host.with", lines[0], StringComparison.Ordinal);
        Assert.InRange(lines.Length, 5, rows);
        Assert.All(lines, line => Assert.True(line.Length < columns, line));
    }

    private sealed class Screen : StringWriter
    {
        private readonly TaskCompletionSource<string> _drawn = new();

        public Task<string> Drawn => _drawn.Task;

        public override Task FlushAsync()
        {
            _drawn.TrySetResult(ToString());
            return Task.CompletedTask;
        }

        public override Task WriteAsync(StringBuilder? value, CancellationToken cancellationToken = default)
        {
            Write(value);
            return Task.CompletedTask;
        }
    }
}

using Perch.Cli.Files;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Perch.Cli.Tests.Files;

public sealed class TransferColumnTests
{
    [Fact]
    public void Columns_OfATransfer_HaveTheUnitsOfTheReport()
    {
        var task = new ProgressTask(1, "a", 30_000_000);
        task.Increment(20 * 1024 * 1024);
        Assert.Equal("20.0/28.6 MiB", Render(new TransferredColumn(), task));
        Assert.Matches(@"^(\?|[\d.]+ [KMGTP]?i?B)/s$", Render(new RateColumn(), task));
    }

    private static string Render(ProgressColumn column, ProgressTask task)
    {
        var output = new StringWriter();
        var terminal = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No });
        var segments = column.Render(RenderOptions.Create(terminal), task, TimeSpan.Zero).GetSegments(terminal);
        return string.Concat(segments.Select(segment => segment.Text)).Trim();
    }
}

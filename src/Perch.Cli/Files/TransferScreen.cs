using Perch.Wire;
using Spectre.Console;

namespace Perch.Cli.Files;

/// <summary>A bar with rate and time left for each transfer that runs, on standard error where that is a terminal; else nothing.</summary>
internal sealed class TransferScreen(CliConsole console)
{
    private const int MostLabelChars = 40;

    private ProgressContext? _progress;
    private IAnsiConsole? _terminal;

    public async Task ShowAsync(Func<Task> work)
    {
        if (!console.IsErrorTerminal || console.IsDumb)
        {
            await work();
            return;
        }

        var terminal = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(console.Error), ColorSystem = console.HasColor ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors });
        await terminal.Progress().AutoClear(true).HideCompleted(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                (_progress, _terminal) = (context, terminal);
                await work();
            });
        _terminal = null;
    }

    /// <summary>Prints a line above the bars, where there are any on the terminal that <paramref name="isTerminal"/> speaks of.</summary>
    /// <returns>False where there are none: then the line goes where it would have gone.</returns>
    public bool TryPrint(string line, bool isTerminal)
    {
        if (_terminal is not { } terminal || !isTerminal) return false;
        terminal.WriteLine(line);
        return true;
    }

    /// <summary>One more transfer; null where nobody watches.</summary>
    public ITransferView? Add(string label, long bytes) =>
        _progress is null ? null : new View(_progress.AddTask(Markup.Escape(PeerText.Escape(label, MostLabelChars)), maxValue: Math.Max(1, bytes)));

    private sealed class View(ProgressTask task) : ITransferView
    {
        private bool _isOpenEnded;

        public void Begin(long? missing)
        {
            _isOpenEnded = missing is null;
            task.IsIndeterminate(_isOpenEnded);
            task.MaxValue(Math.Max(1, missing.GetValueOrDefault()));
            task.Value(0);
        }

        public void Advance(int bytes)
        {
            // A task that has all its bytes is over, and hidden.
            if (_isOpenEnded) task.MaxValue(task.Value + bytes + 1);
            task.Increment(bytes);
        }

        public void End() => task.StopTask();
    }
}

using Perch.Wire;
using Spectre.Console;

namespace Perch.Cli.Files;

/// <summary>A bar with rate and time left for each transfer that runs, on standard error where that is a terminal; else nothing.</summary>
internal sealed class TransferScreen(CliConsole console)
{
    private const int MostLabelChars = 40;

    private ProgressContext? _progress;

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
                _progress = context;
                await work();
            });
    }

    /// <summary>One more transfer; null where nobody watches.</summary>
    public ITransferView? Add(string label, long bytes) =>
        _progress is null ? null : new View(_progress.AddTask(Markup.Escape(PeerText.Escape(label, MostLabelChars)), maxValue: Math.Max(1, bytes)));

    private sealed class View(ProgressTask task) : ITransferView
    {
        public void Begin(long missing)
        {
            task.MaxValue(Math.Max(1, missing));
            task.Value(0);
        }

        public void Advance(int bytes) => task.Increment(bytes);

        public void End() => task.StopTask();
    }
}

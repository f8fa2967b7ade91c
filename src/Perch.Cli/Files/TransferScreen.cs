using Perch.Cli.Terminal;
using Perch.Wire;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Perch.Cli.Files;

/// <summary>A bar with rate and time left for each transfer that runs, on standard error where that is a terminal; else nothing.</summary>
internal sealed class TransferScreen(CliConsole console)
{
    private const string ClearBelow = "\u001b[J";
    private const int MostLabelChars = 40;
    private const int LeastLabelChars = 10;

    // What stands beside the label at least; where the terminal is narrower than the second, the bar and the share alone.
    private const int DetailsColumns = 58;
    private const int LeastDetailsColumns = 72;
    private const int BarColumns = 20;

    private int _labelChars = MostLabelChars;

    private ProgressContext? _progress;
    private IAnsiConsole? _terminal;

    public async Task ShowAsync(Func<Task> work)
    {
        if (!console.IsErrorTerminal || console.IsDumb)
        {
            await work();
            return;
        }

        console.IsDrawn = true;
        var columns = console.Size().Columns;
        var hasDetails = columns >= LeastDetailsColumns;
        _labelChars = Math.Clamp(columns - (hasDetails ? DetailsColumns : BarColumns), LeastLabelChars, MostLabelChars);
        ProgressColumn[] shown = [new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn()];
        if (hasDetails) shown = [.. shown, new TransferredColumn(), new RateColumn(), new RemainingTimeColumn()];
        var terminal = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(console.Error), ColorSystem = console.HasColor ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors });
        await terminal.Progress().AutoClear(true).HideCompleted(true)
            .Columns(shown)
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
        terminal.Write(new UnbrokenLine(line));
        return true;
    }

    /// <summary>One more transfer; null where nobody watches.</summary>
    public ITransferView? Add(string label, long bytes) =>
        _progress is null ? null : new View(_progress.AddTask(Markup.Escape(Short(PeerText.Escape(label, int.MaxValue))), maxValue: Math.Max(1, bytes)));

    /// <summary>Of a name that is too long its end, which tells most.</summary>
    private string Short(string label)
    {
        if (CellWidth.Of(label) <= _labelChars) return label;
        var start = 0;
        while (CellWidth.Of(label.AsSpan(start)) >= _labelChars) start += char.IsHighSurrogate(label[start]) ? 2 : 1;
        return "…" + label[start..];
    }

    /// <summary>A line in the place of the bars, which are drawn again below it. To wrap it is the terminal's: what is broken here is two lines when it is copied.</summary>
    private sealed class UnbrokenLine(string text) : IRenderable
    {
        public Measurement Measure(RenderOptions options, int maxWidth) => new(0, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => [Segment.Control(ClearBelow), new(text), Segment.LineBreak];
    }

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

using System.Text;

namespace Perch.Cli.Terminal;

/// <summary>
/// A prompt on a terminal with editing and history. What the peer sends meanwhile is printed above the line, which is then
/// drawn again. All drawing happens under one lock.
/// </summary>
/// <param name="terminal">Where it draws.</param>
/// <param name="prompt">What stands before the line.</param>
/// <param name="readKey">Waits for a key.</param>
/// <param name="width">How many columns there are now.</param>
internal sealed class LineEditor(TextWriter terminal, string prompt, Func<ConsoleKeyInfo> readKey, Func<int> width)
{
    private const string ClearLine = "\r\u001b[K";
    private const string ClearScreen = "\u001b[2J\u001b[H";

    private readonly Lock _drawing = new();
    private readonly EditBuffer _buffer = new();
    private bool _isEditing;
    private bool _isAtLineStart = true;

    /// <summary>Waits for keys until the line is entered; blocks its thread.</summary>
    /// <returns>Null at Ctrl-D on an empty line.</returns>
    public string? ReadLine()
    {
        lock (_drawing)
        {
            _isEditing = true;
            Draw();
        }

        while (true)
        {
            var key = readKey();
            lock (_drawing)
            {
                switch (_buffer.Apply(key))
                {
                    case EditResult.Entered:
                        return Leave(_buffer.Take());
                    case EditResult.Ended:
                        return Leave(null);
                    case EditResult.ClearScreen:
                        terminal.Write(ClearScreen);
                        Draw();
                        break;
                    default:
                        Draw();
                        break;
                }
            }
        }
    }

    /// <summary>Prints above the line.</summary>
    /// <param name="text">Fit for a terminal already; it need not end with a line end.</param>
    public void Print(string text)
    {
        if (text.Length == 0) return;
        lock (_drawing)
        {
            if (_isEditing) terminal.Write(ClearLine);
            terminal.Write(text);
            _isAtLineStart = text[^1] == '\n';
            if (!_isEditing) return;
            if (!_isAtLineStart) terminal.Write('\n');
            _isAtLineStart = true;
            Draw();
        }
    }

    /// <summary>The session is over: a line that is being edited is left as it is, and what follows begins on the next.</summary>
    public void Close()
    {
        lock (_drawing)
        {
            if (_isEditing) Leave(null);
        }
    }

    private string? Leave(string? line)
    {
        _isEditing = false;
        terminal.Write('\n');
        terminal.Flush();
        _isAtLineStart = true;
        return line;
    }

    /// <summary>A line that is longer than the terminal is wide is shown from where its cursor can be seen.</summary>
    private void Draw()
    {
        if (!_isAtLineStart) terminal.Write('\n');
        _isAtLineStart = true;
        var room = Math.Max(10, width() - prompt.Length - 1);
        var text = _buffer.Text;
        var start = 0;
        while (CellWidth.Of(text.AsSpan(start, _buffer.Cursor - start)) > room) start += StepAt(text, start);
        var end = start;
        for (var used = 0; end < text.Length; end += StepAt(text, end))
        {
            used += CellWidth.Of(text.AsSpan(end, StepAt(text, end)));
            if (used > room) break;
        }

        // The part before the cursor is written a second time: so the terminal itself says where that is.
        var drawn = new StringBuilder(ClearLine).Append(prompt).Append(text, start, end - start);
        if (_buffer.Cursor < end) drawn.Append('\r').Append(prompt).Append(text, start, _buffer.Cursor - start);
        terminal.Write(drawn.ToString());
        terminal.Flush();
    }

    private static int StepAt(string text, int at) => char.IsHighSurrogate(text[at]) && at + 1 < text.Length ? 2 : 1;
}

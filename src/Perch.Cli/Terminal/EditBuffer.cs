using System.Text;

namespace Perch.Cli.Terminal;

/// <summary>What a key did to the line.</summary>
internal enum EditResult
{
    Edited,
    Entered,
    Ended,
    ClearScreen,
}

/// <summary>The line that is being edited, and those before it: keys in, text and cursor out; it draws nothing.</summary>
internal sealed class EditBuffer
{
    private const int MostHistory = 1000;

    private readonly List<string> _history = [];
    private readonly StringBuilder _text = new();
    private int _recalled;
    private string _draft = "";

    public string Text => _text.ToString();

    /// <summary>In characters (UTF-16) from the begin.</summary>
    public int Cursor { get; private set; }

    public EditResult Apply(ConsoleKeyInfo key)
    {
        var isControl = key.Modifiers.HasFlag(ConsoleModifiers.Control);
        switch (key.Key)
        {
            case ConsoleKey.Enter:
                return EditResult.Entered;
            case ConsoleKey.D when isControl && _text.Length == 0:
                return EditResult.Ended;
            case ConsoleKey.L when isControl:
                return EditResult.ClearScreen;
            case ConsoleKey.UpArrow or ConsoleKey.DownArrow:
            case ConsoleKey.P or ConsoleKey.N when isControl:
                Recall(key.Key is ConsoleKey.UpArrow or ConsoleKey.P ? -1 : 1);
                break;
            default:
                if (!Move(key.Key, isControl) && !Delete(key.Key, isControl) && !char.IsControl(key.KeyChar)) Insert(key.KeyChar);
                break;
        }

        return EditResult.Edited;
    }

    /// <summary>Takes the line, remembers it, and begins the next.</summary>
    public string Take()
    {
        var line = Text;
        if (line.Length > 0 && (_history.Count == 0 || _history[^1] != line)) _history.Add(line);
        if (_history.Count > MostHistory) _history.RemoveAt(0);
        _recalled = _history.Count;
        Set("");
        return line;
    }

    private bool Move(ConsoleKey key, bool isControl)
    {
        int? cursor = key switch
        {
            ConsoleKey.LeftArrow when isControl => WordBefore(),
            ConsoleKey.RightArrow when isControl => WordBehind(),
            ConsoleKey.LeftArrow => Before(Cursor),
            ConsoleKey.B when isControl => Before(Cursor),
            ConsoleKey.RightArrow => Behind(Cursor),
            ConsoleKey.F when isControl => Behind(Cursor),
            ConsoleKey.Home => 0,
            ConsoleKey.A when isControl => 0,
            ConsoleKey.End => _text.Length,
            ConsoleKey.E when isControl => _text.Length,
            _ => null,
        };
        Cursor = cursor ?? Cursor;
        return cursor is not null;
    }

    private bool Delete(ConsoleKey key, bool isControl)
    {
        (int From, int To)? range = key switch
        {
            ConsoleKey.Backspace => (Before(Cursor), Cursor),
            ConsoleKey.H when isControl => (Before(Cursor), Cursor),
            ConsoleKey.Delete => (Cursor, Behind(Cursor)),
            ConsoleKey.D when isControl => (Cursor, Behind(Cursor)),
            ConsoleKey.U when isControl => (0, Cursor),
            ConsoleKey.K when isControl => (Cursor, _text.Length),
            ConsoleKey.W when isControl => (WordBefore(), Cursor),
            _ => null,
        };
        if (range is not var (from, to)) return false;
        _text.Remove(from, to - from);
        Cursor = from;
        return true;
    }

    private void Insert(char character)
    {
        _text.Insert(Cursor, character);
        Cursor++;
    }

    private void Recall(int step)
    {
        if (_recalled + step < 0 || _recalled + step > _history.Count) return;
        if (_recalled == _history.Count) _draft = Text;
        _recalled += step;
        Set(_recalled == _history.Count ? _draft : _history[_recalled]);
    }

    private void Set(string text)
    {
        _text.Clear().Append(text);
        Cursor = text.Length;
    }

    // A character may be two UTF-16 units.
    private int Before(int at) => at == 0 ? 0 : at >= 2 && char.IsLowSurrogate(_text[at - 1]) ? at - 2 : at - 1;

    private int Behind(int at) => at == _text.Length ? at : at + 1 < _text.Length && char.IsHighSurrogate(_text[at]) ? at + 2 : at + 1;

    private int WordBefore()
    {
        var at = Cursor;
        while (at > 0 && _text[at - 1] == ' ') at--;
        while (at > 0 && _text[at - 1] != ' ') at--;
        return at;
    }

    private int WordBehind()
    {
        var at = Cursor;
        while (at < _text.Length && _text[at] == ' ') at++;
        while (at < _text.Length && _text[at] != ' ') at++;
        return at;
    }
}

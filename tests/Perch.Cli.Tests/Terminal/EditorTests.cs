using Perch.Cli.Terminal;

namespace Perch.Cli.Tests.Terminal;

public sealed class EditorTests
{
    private static readonly Dictionary<char, ConsoleKeyInfo> Named = new()
    {
        ['\n'] = new('\r', ConsoleKey.Enter, false, false, false),
        ['\b'] = new('\b', ConsoleKey.Backspace, false, false, false),
        ['←'] = new('\0', ConsoleKey.LeftArrow, false, false, false),
        ['→'] = new('\0', ConsoleKey.RightArrow, false, false, false),
        ['↑'] = new('\0', ConsoleKey.UpArrow, false, false, false),
        ['↓'] = new('\0', ConsoleKey.DownArrow, false, false, false),
        ['⇤'] = new('\0', ConsoleKey.Home, false, false, false),
        ['\u0004'] = new('\u0004', ConsoleKey.D, false, false, true),
        ['\u0015'] = new('\u0015', ConsoleKey.U, false, false, true),
        ['\u0017'] = new('\u0017', ConsoleKey.W, false, false, true),
        ['\u000b'] = new('\u000b', ConsoleKey.K, false, false, true),
    };

    [Theory]
    [InlineData("Hello\n", "Hello")]
    [InlineData("Helo←l\n", "Hello")]
    [InlineData("Hellx\bo\n", "Hello")]
    [InlineData("ello⇤H\n", "Hello")]
    [InlineData("one two\u0017zwei\n", "one zwei")]
    [InlineData("wrong\u0015right\n", "right")]
    [InlineData("right wrong←←←←←←\u000b\n", "right")]
    [InlineData("日本語\b\b語\n", "日語")]
    [InlineData("a😀\bb\n", "ab")]
    [InlineData("a\u0007b\n", "ab")]
    public void Keys_OfALine_EditIt(string keys, string line) => Assert.Equal([line], Type(keys));

    [Fact]
    public void History_UpAndDown_RecallsAndKeepsTheDraft() =>
        Assert.Equal(["one", "two", "one", "draft"], Type("one\ntwo\n↑↑\ndraft↑↓\n"));

    [Fact]
    public void ControlD_OnAnEmptyLine_Ends() => Assert.Equal(["a", null], Type("a\n\u0004"));

    [Fact]
    public void Print_WhileALineIsEdited_KeepsPromptAndLine()
    {
        var terminal = new StringWriter();
        LineEditor editor = null!;
        var keys = new Queue<char>("He!\n");
        editor = new(terminal, " -> ", () =>
        {
            if (keys.Peek() == '!') editor.Print("GOT:one\n-");
            return Key(keys.Dequeue());
        }, () => 80);

        Assert.Equal("He!", editor.ReadLine());
        Assert.Contains("\r\u001b[KGOT:one\n-\n\r\u001b[K -> He", terminal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Draw_OfALineWiderThanTheTerminal_StaysWithinOneRow()
    {
        var terminal = new StringWriter();
        var keys = new Queue<char>(new string('語', 100) + "\n");
        var editor = new LineEditor(terminal, " -> ", () => Key(keys.Dequeue()), () => 40);

        Assert.Equal(100, editor.ReadLine()!.Length);
        Assert.All(terminal.ToString().Split("\r\u001b[K"), row => Assert.True(CellWidth.Of(row.TrimEnd('\n')) < 40));
    }

    private static List<string?> Type(string keys)
    {
        var queue = new Queue<char>(keys);
        var editor = new LineEditor(new StringWriter(), " -> ", () => Key(queue.Dequeue()), () => 80);
        var lines = new List<string?>();
        while (queue.Count > 0) lines.Add(editor.ReadLine());
        return lines;
    }

    private static ConsoleKeyInfo Key(char character) => Named.TryGetValue(character, out var key) ? key : new(character, ConsoleKey.None, false, false, false);
}

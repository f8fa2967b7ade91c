namespace Perch.Cli.Terminal;

/// <summary>One line, of which a part may have a colour.</summary>
/// <param name="Text">Visible characters only.</param>
/// <param name="Start">The coloured part begins here.</param>
/// <param name="Length">Length of the coloured part; 0: none.</param>
/// <param name="Color">An SGR sequence, such as <see cref="Green"/>.</param>
internal readonly record struct PictureLine(string Text, int Start = 0, int Length = 0, string Color = "")
{
    public const string Green = "\u001b[32m";
    public const string Red = "\u001b[31m";

    private const string Plain = "\u001b[0m";

    /// <returns>The line with its colour, cut to a number of columns.</returns>
    public string Render(int columns = int.MaxValue)
    {
        var text = Text;
        if (columns < int.MaxValue && CellWidth.Of(text) > columns)
        {
            var end = text.Length;
            while (end > 0 && CellWidth.Of(text.AsSpan(0, end)) > columns)
                end -= end > 1 && char.IsLowSurrogate(text[end - 1]) ? 2 : 1;
            text = text[..end];
        }

        var (start, stop) = (Math.Min(Start, text.Length), Math.Min(Start + Length, text.Length));
        return Color.Length == 0 || stop == start ? text : $"{text[..start]}{Color}{text[start..stop]}{Plain}{text[stop..]}";
    }
}

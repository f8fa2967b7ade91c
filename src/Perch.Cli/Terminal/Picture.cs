using System.Globalization;
using System.Text;

namespace Perch.Cli.Terminal;

/// <summary>Lines on a terminal that are redrawn in place.</summary>
/// <param name="output">The terminal.</param>
/// <param name="size">Its columns and rows, as they are now.</param>
internal sealed class Picture(TextWriter output, Func<(int Columns, int Rows)> size)
{
    private int _rows;

    /// <summary>Replaces the lines drawn before. A line that would wrap or scroll away is cut: the next drawing would leave it.</summary>
    public async Task DrawAsync(IEnumerable<PictureLine> lines)
    {
        var draw = new StringBuilder();
        if (_rows > 0)
            draw.Append(CultureInfo.InvariantCulture, $"\u001b[{_rows}A");
        draw.Append("\r\u001b[J");
        var (columns, rows) = size();
        var shown = lines.Take(rows - 1).ToArray();
        foreach (var line in shown)
            draw.Append(line.Render(columns - 1)).Append('\n');
        _rows = shown.Length;
        await output.WriteAsync(draw);
        await output.FlushAsync();
    }
}

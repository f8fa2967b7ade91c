using System.Text;

namespace Perch.Cli.CommandLine;

/// <summary>Breaks text between words, so that no line is longer than a terminal's.</summary>
internal static class WordWrap
{
    /// <summary>
    /// Lines that begin at the margin are paragraphs and are filled. A line that is indented is a row of its own; what does not fit
    /// continues under its last column, which begins after two spaces.
    /// </summary>
    public static string Text(string text, int width)
    {
        var output = new StringBuilder();
        var paragraph = new StringBuilder();
        foreach (var line in text.Split('\n'))
        {
            if (line.Length > 0 && line[0] != ' ' && !line.EndsWith(':'))
            {
                paragraph.Append(paragraph.Length == 0 ? "" : " ").Append(line);
                continue;
            }

            Flush();
            AppendLine(output, line, ColumnOf(line), width);
        }

        Flush();
        return output.ToString().TrimEnd('\n');

        void Flush()
        {
            if (paragraph.Length > 0)
                AppendLine(output, paragraph.ToString(), 0, width);
            paragraph.Clear();
        }
    }

    private static void AppendLine(StringBuilder output, string line, int indent, int width)
    {
        var rest = line;
        while (rest.Length > width)
        {
            var end = rest.LastIndexOf(' ', width);
            // A word that is longer than a line stays whole.
            if (end <= indent)
                end = rest.IndexOf(' ', Math.Min(indent + 1, rest.Length));
            if (end < 0)
                break;
            output.Append(rest.AsSpan(0, end).TrimEnd(' ')).Append('\n');
            rest = new string(' ', indent) + rest[end..].TrimStart(' ');
        }

        output.Append(rest).Append('\n');
    }

    private static int ColumnOf(string line)
    {
        var text = line.Length - line.TrimStart(' ').Length;
        var gap = line.IndexOf("  ", text, StringComparison.Ordinal);
        if (gap < 0)
            return text + 2;
        while (gap < line.Length && line[gap] == ' ')
            gap++;
        return gap;
    }
}

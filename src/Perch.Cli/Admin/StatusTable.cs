using System.Globalization;
using Perch.Cli.CommandLine;
using Perch.Cli.Terminal;
using Perch.Wire;

namespace Perch.Cli.Admin;

/// <summary>
/// A server's status as lines: one row an endpoint, and how its last connections ended beside it or, if that is too wide, below it.
/// </summary>
internal static class StatusTable
{
    private const string Gap = "  ";
    private const string Indent = "    ";
    private const string Ended = "last ended";

    private static readonly string[] Columns = ["endpoint", "protocol", "address", "state", "open"];

    /// <param name="head">The first line.</param>
    /// <param name="status">The status.</param>
    /// <param name="width">Columns of the terminal.</param>
    public static IEnumerable<PictureLine> Lines(PictureLine head, ServerStatus status, int width)
    {
        yield return head;
        var rows = status.Endpoints.Select(Cells).ToList();
        int[] widths = [.. Columns.Select((name, column) => rows.Select(row => row[column].Length).Append(name.Length).Max())];
        var notes = status.Endpoints.Select(Note).ToList();
        var row = widths.Sum() + (Gap.Length * widths.Length);
        var isWide = notes.Append(Ended).All(note => row + note.Length <= width);
        yield return new(Row(Columns, widths, isWide ? Ended : ""));
        foreach (var (endpoint, cells, note) in status.Endpoints.Zip(rows, notes))
        {
            var start = widths.Take(3).Sum() + (Gap.Length * 3);
            var color = endpoint.State == "Listening" ? PictureLine.Green : PictureLine.Red;
            yield return new(Row(cells, widths, isWide ? note : ""), start, cells[3].Length, color);
            if (isWide || note.Length == 0)
                continue;
            foreach (var line in WordWrap.Text(Indent + note, Math.Max(width, Indent.Length + 1)).Split('\n'))
                yield return new(line);
        }

        foreach (var complaint in status.Complaints.Select(complaint => PeerText.Escape(complaint)))
            yield return new(complaint, 0, complaint.Length, PictureLine.Red);
    }

    private static string[] Cells(EndpointRow endpoint) =>
    [
        PeerText.Escape(endpoint.Name), PeerText.Escape(endpoint.Protocol), PeerText.Escape(endpoint.Address),
        PeerText.Escape(endpoint.State), endpoint.Connections.ToString(CultureInfo.InvariantCulture),
    ];

    private static string Note(EndpointRow endpoint)
    {
        var parts = endpoint.Outcomes.Select(outcome => $"{outcome.Outcome} {outcome.Count}").Prepend(endpoint.Reason);
        return PeerText.Escape(string.Join(", ", parts.Where(part => part is not null)));
    }

    private static string Row(string[] cells, int[] widths, string note) =>
        (string.Concat(cells.Zip(widths, (cell, width) => cell.PadRight(width) + Gap)) + note).TrimEnd();
}

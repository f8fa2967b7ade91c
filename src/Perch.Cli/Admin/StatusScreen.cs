using System.Globalization;
using System.Text.Json.Nodes;
using Perch.Cli.Json;
using Perch.Cli.Terminal;

namespace Perch.Cli.Admin;

/// <summary>Shows a server's status as a table, in place on a terminal if it is repeated, or as one line of JSON.</summary>
/// <param name="console">Its output gets the table, its error the failures.</param>
/// <param name="url">The admin endpoint.</param>
/// <param name="isJson">Whether the status is printed as JSON.</param>
/// <param name="isRepeated">Whether the status is shown again and again.</param>
/// <param name="time">The clock of the first line.</param>
internal sealed class StatusScreen(CliConsole console, Uri url, bool isJson, bool isRepeated, TimeProvider time)
{
    private readonly Picture _picture = new(console.Out, console.Size);
    private string? _reported;

    private bool IsDrawn => isRepeated && !isJson && console.IsOutputTerminal && !console.IsDumb;

    private string Now => time.GetUtcNow().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public async Task ShowAsync(ServerStatus status)
    {
        _reported = null;
        if (isJson)
        {
            await console.Out.WriteLineAsync(ToJson(status).ToText());
            return;
        }

        // A pipe has no width: its lines are whole.
        var width = console.IsOutputTerminal ? console.Size().Columns - 1 : int.MaxValue;
        await PrintAsync(StatusTable.Lines(Head(status.Status, status.IsReady), status, width));
    }

    /// <summary>Reports that the server does not answer and is waited for: once for each cause.</summary>
    public async Task ShowFailureAsync(string failure)
    {
        if (IsDrawn)
        {
            await PrintAsync([Head("does not answer", isGood: false), new(failure), new("Waiting for the server.")]);
            return;
        }

        if (_reported != failure)
            await console.SayAsync($"perch: {failure} Waiting for the server.");
        _reported = failure;
    }

    private async Task PrintAsync(IEnumerable<PictureLine> lines)
    {
        if (!console.HasColor || !console.IsOutputTerminal || console.IsDumb)
            lines = lines.Select(line => new PictureLine(line.Text));
        console.IsDrawn |= IsDrawn;
        if (IsDrawn)
            await _picture.DrawAsync(lines);
        else
            await console.Out.WriteAsync(string.Concat(lines.Select(line => line.Render() + "\n")));
    }

    private PictureLine Head(string state, bool isGood)
    {
        var before = isRepeated ? $"{url}  {Now}  " : $"{url}  ";
        var text = Wire.PeerText.Escape(state);
        return new(before + text, before.Length, text.Length, isGood ? PictureLine.Green : PictureLine.Red);
    }

    private JsonObject ToJson(ServerStatus status) => new()
    {
        ["time"] = time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
        ["status"] = status.Status,
        ["endpoints"] = new JsonArray([.. status.Endpoints.Select(e => new JsonObject
        {
            ["name"] = e.Name,
            ["protocol"] = e.Protocol,
            ["address"] = e.Address,
            ["state"] = e.State,
            ["reason"] = e.Reason,
            ["connections"] = e.Connections,
            ["outcomes"] = new JsonObject(e.Outcomes.Select(o => KeyValuePair.Create(o.Outcome, (JsonNode?)o.Count))),
        })]),
        ["complaints"] = new JsonArray([.. status.Complaints.Select(c => (JsonNode)c)]),
    };
}

using System.Text.Json.Nodes;
using Perch.Wire;
using Spectre.Console;

namespace Perch.Cli.Admin;

/// <summary>Shows a server's status as a table, or as one line of JSON.</summary>
internal sealed class StatusScreen(CliConsole console, bool isJson)
{
    private const int PipeWidth = 200;
    private const int WholeWidth = 80;
    private const int LeastWidth = 70;
    private const string Home = "\u001b[H\u001b[J";

    public async Task ShowAsync(Uri url, ServerStatus status, bool clear)
    {
        if (isJson)
        {
            await console.Out.WriteLineAsync(ToJson(status).ToJsonString());
            return;
        }

        var terminal = AnsiConsole.Create(new()
        {
            Out = new AnsiConsoleOutput(console.Out),
            Ansi = console.IsOutputTerminal && !console.IsDumb ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = console.HasColor && console.IsOutputTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
        terminal.Profile.Width = console.IsOutputTerminal ? Math.Max(console.Size().Columns, LeastWidth) : PipeWidth;
        if (clear && console.IsOutputTerminal && !console.IsDumb) await console.Out.WriteAsync(Home);
        terminal.MarkupLine($"{Markup.Escape(url.ToString())}  {(status.IsReady ? "[green]" : "[red]")}{Safe(status.Status)}[/]");
        var table = new Table().Border(TableBorder.None);
        // Where the terminal is narrow the last column alone is broken, and the one that can be missed best is left out.
        var hasProtocol = terminal.Profile.Width >= WholeWidth;
        foreach (var name in (string[])["endpoint", .. hasProtocol ? ["protocol"] : Array.Empty<string>(), "address", "state", "open"]) table.AddColumn(name, column => column.NoWrap());
        table.AddColumn("last ended");
        foreach (var endpoint in status.Endpoints)
        {
            table.AddRow([
                Safe(endpoint.Name), .. hasProtocol ? [Safe(endpoint.Protocol)] : Array.Empty<string>(), Safe(endpoint.Address),
                (endpoint.State == "Listening" ? "[green]" : "[red]") + Safe(endpoint.State) + "[/]" + (endpoint.Reason is null ? "" : ": " + Safe(endpoint.Reason)),
                $"{endpoint.Connections}", Safe(string.Join(", ", endpoint.Outcomes.Select(o => $"{o.Outcome} {o.Count}")))]);
        }

        terminal.Write(table);
        foreach (var complaint in status.Complaints) terminal.MarkupLine($"[red]{Safe(complaint)}[/]");
    }

    private static string Safe(string text) => Markup.Escape(PeerText.Escape(text));

    private static JsonObject ToJson(ServerStatus status) => new()
    {
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

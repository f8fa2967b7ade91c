using System.CommandLine;
using System.Text.Json.Nodes;
using Perch.Cli.CommandLine;
using Perch.Cli.Json;
using Perch.Cli.Net;
using Perch.Cli.Record;

namespace Perch.Cli.Verbs;

/// <summary><c>perch record</c>: lines that are stored, each once.</summary>
internal static class RecordVerb
{
    private const int DefaultWindow = 1000;
    private const int MaxWindow = 100_000;

    private const string Notes = """
        Each line of standard input is stored once: it is sent with a key (@SENDER/SEQUENCE), waits until the server has acknowledged it, and is sent
        again when the connection was lost. If the server is not there yet, perch waits for it and says so. What waits is also in the state file: after a kill the next run sends it first. When
        standard input ends, so does perch, as soon as all is stored.

        The endpoint needs "Framing": "Line", "Ack": "OK {id}\n" and "Deduplicate": true, as port 9997 of the default configuration has.

        The state is a file of its own for each address: $XDG_STATE_HOME/perch (default ~/.local/state/perch). Two runs at once need two, by --state.

        Examples:
          journalctl -f | perch record record://logs.example.org
          perch record tls://logs.example.org:9997 --ca ca.pem --sender web1 < events
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.Create("Where to: record://host[:port], or tcp://, tls://, unix:.");
        var sender = new Option<string?>("--sender") { Description = "The name in the keys: letters, digits, '.', '_', '-' (default: one of its own for each state).", HelpName = "name" };
        var state = FileOption.Create("--state", "The file that keeps the lines that are not stored yet.");
        var window = NumberOption.Create(
            "--window", $"Lines that may wait for their acknowledgement (default: {DefaultWindow}).", 1, MaxWindow);
        var giveUp = new Option<TimeSpan?>("--give-up") { Description = "End when nothing was stored for so long (default: never).", HelpName = "time", CustomParser = Duration.Parse };
        var skip = new Option<bool>("--skip-refused") { Description = "Leave out lines that the server will never take." };
        var link = new LinkOptions();
        var command = new Command("record", "Stores the lines of standard input, each once, over any number of lost connections.") { url, sender, state, window, giveUp, skip };
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            if (target.Transport == Transport.Udp) throw new CliException(ExitCode.Usage, "Acknowledged lines need a stream: tcp://, tls:// or unix:.");
            if (result.GetValue(sender) is { } name && !SenderName.IsValid(name)) throw new CliException(ExitCode.Usage, "--sender is 1 to 64 letters, digits, '.', '_' and '-'.");
            using var journal = RecordJournal.Open(result.GetValue(state)?.FullName ?? DefaultState(target), result.GetValue(sender), TimeProvider.System);
            var options = new RecordOptions
            {
                Window = result.GetValue(window) ?? DefaultWindow,
                GiveUp = result.GetValue(giveUp),
                SkipRefused = result.GetValue(skip),
            };
            using var run = new RecordRun(console, link.Dialer(result, target), options, journal);
            try
            {
                await run.RunAsync(token);
            }
            finally
            {
                await SayAsync(console, result.GetValue(CommonOptions.Json), run.Summary, journal);
            }

            return run.Summary.Skipped > 0 ? ExitCode.Refused : ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }

    private static string DefaultState(Target target)
    {
        var home = Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } state ? state
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state");
        return Path.Combine(home, "perch", $"record-{Uri.EscapeDataString(target.Address)}");
    }

    private static async Task SayAsync(CliConsole console, bool isJson, RecordSummary summary, RecordJournal journal)
    {
        var waiting = journal.Next - journal.First;
        if (isJson)
        {
            var json = new JsonObject { ["stored"] = summary.Stored, ["waiting"] = waiting, ["skipped"] = summary.Skipped, ["reconnects"] = summary.Reconnects, ["sender"] = journal.Sender };
            if (summary.LastId >= 0) json["lastId"] = summary.LastId;
            await console.Out.WriteLineAsync(json.ToText());
            return;
        }

        await console.SayAsync($"{summary.Stored} {(summary.Stored == 1 ? "line" : "lines")} stored{(summary.Skipped > 0 ? $", {summary.Skipped} refused" : "")}{(waiting > 0 ? $", {waiting} {(waiting == 1 ? "waits" : "wait")} in the state for the next run" : "")}.");
    }
}

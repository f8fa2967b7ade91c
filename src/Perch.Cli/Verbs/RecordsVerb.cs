using System.CommandLine;
using System.Globalization;
using Perch.Cli.CommandLine;
using Perch.Cli.Record;

namespace Perch.Cli.Verbs;

/// <summary><c>perch records</c>: reads records back.</summary>
internal static class RecordsVerb
{
    private const int MaxRecords = 10_000;

    private const string Notes = """
        One line a record: id, time (UTC), endpoint, peer, text (escaped). --json prints the server's own objects.

        --follow goes on with each record as it becomes durable, until Ctrl-C. A lost connection is opened again after the last record
        that was printed: none is missing, none comes twice. Without --after and --last it begins with the next record.

        Examples:
          perch records --last 20
          perch records --contains error --since 1h --json | jq -r .data
          perch records --follow --last 10 --endpoint record-syslog
          perch records https://perch.example.org:8443 --api-key "$KEY"
        """;

    public static Command Create(CliConsole console)
    {
        var after = NumberOption.Create("--after", "Only ids above this one.", 0, long.MaxValue, "id");
        var limit = NumberOption.Create("--limit", $"At most this many, the oldest first (default: 100, to {MaxRecords}).", 1, MaxRecords);
        var last = NumberOption.Create("--last", $"The newest records, at most this many (to {MaxRecords}).", 1, MaxRecords);
        var endpoint = new Option<string?>("--endpoint") { Description = "Only of this endpoint.", HelpName = "name" };
        var contains = new Option<string?>("--contains") { Description = "Only with this in the text.", HelpName = "text" };
        var since = SinceOption.Create(
            "--since", "Only received at this time or later: 2026-11-20T00:00:00Z, or 1h, 30m, 7d ago.", TimeProvider.System);
        var follow = new Option<bool>("--follow", "-f") { Description = "Print further records as they come." };
        var admin = new AdminOptions();
        var command = new Command("records", "Reads stored records from the admin endpoint.")
        {
            after, limit, last, endpoint, contains, since, follow,
        };
        admin.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            if (result.GetValue(limit) is not null && result.GetValue(last) is not null)
                throw new CliException(ExitCode.Usage, "--limit is for the oldest records and --last for the newest: give one of them.");
            if (result.GetValue(follow) && (result.GetValue(limit) is not null || result.GetValue(since) is not null))
                throw new CliException(ExitCode.Usage, "--follow goes with --after, --last, --endpoint and --contains only.");
            using var link = admin.Link(result);
            var printer = new RecordPrinter(console, result.GetValue(CommonOptions.Json));
            IReadOnlyList<string> filter = [.. Pair("endpoint", result.GetValue(endpoint)), .. Pair("contains", result.GetValue(contains))];
            var from = result.GetValue(after);
            if (!result.GetValue(follow) || result.GetValue(last) is not null)
            {
                string[] query =
                [
                    .. filter, .. Pair("after", from), .. Pair("limit", result.GetValue(limit)), .. Pair("last", result.GetValue(last)),
                    .. Pair("since", result.GetValue(since)?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture)),
                ];
                from ??= 0;
                await foreach (var line in link.GetLinesAsync($"records?{string.Join('&', query)}", result.GetTimeout(), token))
                    from = await printer.PrintAsync(line);
            }

            if (!result.GetValue(follow))
                return ExitCode.Done;
            await new RecordTail(console, link, printer).RunAsync(from, filter, token);
            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }

    private static IEnumerable<string> Pair(string key, IFormattable? value) =>
        Pair(key, value?.ToString(null, CultureInfo.InvariantCulture));

    private static IEnumerable<string> Pair(string key, string? value) => value is null ? [] : [$"{key}={Uri.EscapeDataString(value)}"];
}

using System.CommandLine;
using System.Globalization;
using Perch.Cli.CommandLine;
using Perch.Cli.Record;

namespace Perch.Cli.Verbs;

/// <summary><c>perch records</c>: reads records back.</summary>
internal static class RecordsVerb
{
    private const string Notes = """
        One line a record: id, time (UTC), endpoint, peer, text (escaped). --json prints the server's own objects.

        With --follow it goes on with each record as it becomes durable, until Ctrl-C; a lost connection is opened again behind the last record that
        was printed: none is missing, none comes twice. Without --after it begins with the next one.

        Examples:
          perch records --limit 20
          perch records --contains error --since 2026-11-20T00:00:00Z --json | jq -r .data
          perch records --follow --after 0
          perch records https://perch.example.org:8443 --api-key "$KEY"
        """;

    public static Command Create(CliConsole console)
    {
        var after = new Option<long?>("--after") { Description = "Only ids above this one.", HelpName = "id" };
        var limit = new Option<int?>("--limit") { Description = "At most so many (default: 100, to 10000).", HelpName = "number" };
        var endpoint = new Option<string?>("--endpoint") { Description = "Only of this endpoint.", HelpName = "name" };
        var contains = new Option<string?>("--contains") { Description = "Only with this in the text.", HelpName = "text" };
        var since = new Option<DateTimeOffset?>("--since") { Description = "Only received at this time or later.", HelpName = "time" };
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on as they come." };
        var admin = new AdminOptions();
        var command = new Command("records", "Reads stored records from the admin endpoint.") { after, limit, endpoint, contains, since, follow };
        admin.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            using var link = admin.Link(result);
            var printer = new RecordPrinter(console, result.GetValue(CommonOptions.Json));
            if (result.GetValue(follow))
            {
                if (result.GetValue(limit) is not null || result.GetValue(endpoint) is not null || result.GetValue(contains) is not null || result.GetValue(since) is not null)
                    throw new CliException(ExitCode.Usage, "--follow takes --after, and no other filter.");
                await new RecordTail(console, link, printer).RunAsync(result.GetValue(after), token);
                return ExitCode.Done;
            }

            var query = new List<string>();
            Add("after", result.GetValue(after)?.ToString(CultureInfo.InvariantCulture));
            Add("limit", result.GetValue(limit)?.ToString(CultureInfo.InvariantCulture));
            Add("endpoint", result.GetValue(endpoint));
            Add("contains", result.GetValue(contains));
            Add("since", result.GetValue(since)?.ToString("O", CultureInfo.InvariantCulture));
            await foreach (var line in link.GetLinesAsync($"records?{string.Join('&', query)}", result.GetTimeout(), token)) await printer.PrintAsync(line);
            return ExitCode.Done;

            void Add(string key, string? value)
            {
                if (value is not null) query.Add($"{key}={Uri.EscapeDataString(value)}");
            }
        });
        return HelpText.WithHelp(command, Notes);
    }
}

using System.CommandLine;
using System.Net;
using Perch.Cli.Admin;
using Perch.Cli.CommandLine;

namespace Perch.Cli.Verbs;

/// <summary><c>perch status</c>: what a server serves, and how it goes.</summary>
internal static class StatusVerb
{
    private static readonly TimeSpan DefaultPeriod = TimeSpan.FromSeconds(2);

    private const string Notes = """
        One line an endpoint: state, protocol, address, open connections, and how its last connections ended. Exit code 1: not ready.

        Examples:
          perch status
          perch status --watch --every 5s
          perch status http://perch.example.org:8080 --api-key "$KEY" --json | jq .status
        """;

    public static Command Create(CliConsole console)
    {
        var watch = new Option<bool>("--watch", "-w") { Description = "Show it again and again, until Ctrl-C." };
        var every = new Option<TimeSpan?>("--every") { Description = "How often (default: 2s).", HelpName = "time", CustomParser = Duration.Parse };
        var admin = new AdminOptions();
        var command = new Command("status", "Shows endpoints, states, connections and outcomes from the admin endpoint.") { watch, every };
        admin.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            using var link = admin.Link(result);
            var screen = new StatusScreen(console, result.GetValue(CommonOptions.Json));
            while (true)
            {
                var health = await link.GetJsonAsync("health/ready", HttpStatusCode.ServiceUnavailable, token);
                var recent = await link.GetJsonAsync("connections/recent", HttpStatusCode.OK, token);
                var status = ServerStatus.Read(health, recent);
                await screen.ShowAsync(link.Url, status, clear: result.GetValue(watch));
                if (!result.GetValue(watch)) return status.IsReady ? ExitCode.Done : ExitCode.Refused;
                await Task.Delay(result.GetValue(every) ?? DefaultPeriod, token);
            }
        });
        return HelpText.WithHelp(command, Notes);
    }
}

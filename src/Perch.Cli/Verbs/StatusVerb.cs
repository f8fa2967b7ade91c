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
        One line an endpoint: protocol, address, state, open connections, and how its last connections ended. --watch redraws it in place
        on a terminal, with the time. Exit code 1: not ready.

        Examples:
          perch status
          perch status --watch --every 5s
          perch status http://perch.example.org:8080 --api-key "$KEY" --json
        """;

    public static Command Create(CliConsole console)
    {
        var watch = new Option<bool>("--watch", "-w") { Description = "Show it repeatedly, until Ctrl-C, and wait for the server." };
        var every = new Option<TimeSpan?>("--every")
        {
            Description = "Time between two of them (default: 2s).",
            HelpName = "time",
            CustomParser = Duration.Parse,
        };
        var admin = new AdminOptions();
        var command = new Command("status", "Shows endpoints, states, connections and outcomes from the admin endpoint.") { watch, every };
        admin.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            using var link = admin.Link(result);
            var isRepeated = result.GetValue(watch);
            var screen = new StatusScreen(console, link.Url, result.GetValue(CommonOptions.Json), isRepeated, TimeProvider.System);
            while (true)
            {
                try
                {
                    var status = await ReadAsync(link, token);
                    await screen.ShowAsync(status);
                    if (!isRepeated)
                        return status.IsReady ? ExitCode.Done : ExitCode.Refused;
                }
                catch (CliException exception) when (isRepeated && exception.IsOfConnection)
                {
                    await screen.ShowFailureAsync(exception.Message);
                }

                await Task.Delay(result.GetValue(every) ?? DefaultPeriod, token);
            }
        });
        return HelpText.WithHelp(command, Notes);
    }

    private static async Task<ServerStatus> ReadAsync(AdminLink link, CancellationToken cancellationToken)
    {
        var health = await link.GetJsonAsync("health/ready", HttpStatusCode.ServiceUnavailable, cancellationToken);
        var recent = await link.GetJsonAsync("connections/recent", HttpStatusCode.OK, cancellationToken);
        return ServerStatus.Read(health, recent);
    }
}

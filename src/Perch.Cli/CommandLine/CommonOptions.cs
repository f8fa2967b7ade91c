using System.CommandLine;

namespace Perch.Cli.CommandLine;

/// <summary>The options that every verb has.</summary>
internal static class CommonOptions
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    public static readonly Option<bool> Json = new("--json") { Description = "Print data as JSON, one object a line, and nothing else on standard output.", Recursive = true };

    public static readonly Option<bool> NoColor = new("--no-color") { Description = "No colours; the environment variable NO_COLOR does the same.", Recursive = true };

    public static readonly Option<TimeSpan?> Timeout = new("--timeout")
    {
        Description = "How long to wait for a connection, and then for each answer (default: 10s; UDP: 1s before it is sent again).",
        HelpName = "time",
        CustomParser = Duration.Parse,
        Recursive = true,
    };

    public static TimeSpan GetTimeout(this ParseResult result) => result.GetValue(Timeout) ?? DefaultTimeout;
}

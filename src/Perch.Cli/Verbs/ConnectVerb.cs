using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Connect;
using Perch.Cli.Terminal;
using Perch.Wire.Framings;

namespace Perch.Cli.Verbs;

/// <summary><c>perch connect</c>: a session with a peer.</summary>
internal static class ConnectVerb
{
    private const string Notes = """
        On a terminal:
          The prompt is ' -> '. What the peer sends is printed as it comes, escaped: no byte of it steers the terminal.
          Arrow keys edit and recall lines. 'quit', or Ctrl-D on an empty line, ends your side; over hello:// 'quit' sends --quit--.
        In a pipe:
          Each line of standard input is sent, your side ends with it, and what the peer sends goes to standard output byte for byte.

        Without --framing a line is sent with LF (over hello:// and reply:// without), and what comes is not cut.

        Examples:
          perch connect localhost:25000                    an echo
          perch connect hello://localhost                  the session of port 8000
          perch connect tls://example.org:443 --sni example.org
          perch connect udp://localhost:25000 --hex
          perch connect unix:/run/perch/echo.sock --framing length
          printf 'one\ntwo\n' | perch connect localhost:25000
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.Create("Where to: tcp://host:port, tls://, udp://, unix:/path, host:port, or a protocol such as hello://host.");
        var framing = WordOption.Create<Framing>("--framing", "How lines are framed, and what comes is cut.", "framing");
        var hex = new Option<bool>("--hex") { Description = "Show what comes as a hex dump." };
        var escape = new Option<bool>("--escape") { Description = "Escape what comes in a pipe too." };
        var link = new LinkOptions();
        var command = new Command("connect", "Opens a session: lines go to the peer, and what it sends is printed as it comes.") { url, framing, hex, escape };
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var view = result.GetValue(hex) ? View.Hex
                : result.GetValue(CommonOptions.Json) ? View.Json
                : result.GetValue(escape) || console.IsOutputTerminal ? View.Escaped : View.Exact;
            var session = new ConnectSession(console, link.Dialer(result, target), result.GetValue(framing), view);
            await session.RunAsync(token);
            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }
}

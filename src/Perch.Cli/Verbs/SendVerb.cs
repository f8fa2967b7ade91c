using System.CommandLine;
using Perch.Cli.CommandLine;
using Perch.Cli.Net;
using Perch.Cli.Send;
using Perch.Cli.Terminal;
using Perch.Wire.Framings;

namespace Perch.Cli.Verbs;

/// <summary><c>perch send</c>: messages without a session.</summary>
internal static class SendVerb
{
    private const int DefaultRetries = 3;
    private const int MaxRetries = 1000;

    private const string Notes = """
        Each TEXT is one message; '-' is standard input, '@file' a file. Without TEXT standard input is sent. The bytes are sent as they
        are (--framing chunk); record:// sends lines.

        TCP, TLS, Unix: all is sent, this side ends, and what the peer answers is printed until it closes. With --replies the connection
        stays open until so many answers are there.
        UDP: each message is a datagram, and one reply to each is waited for. While none comes it is sent again: --retry times, after
        --timeout each. The peer may thus get it more than once, and a reply that comes late is taken for that of the next message.

        Examples:
          perch send localhost:9999 こんにちは
          perch send localhost:9996 @photo.jpg              the upload of port 9996
          perch send record://localhost 'from perch' --replies 1
          perch send --lines --replies 2 record://localhost < two-lines
          perch send udp://localhost:25000 Hello --retry 5 --timeout 200ms
          perch send udp://localhost:5514 '<13>from perch' --no-reply
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.Create("Where to: tcp://host:port, tls://, udp://, unix:/path, host:port, or a protocol such as record://host.");
        var text = new Argument<string[]>("TEXT") { Description = "The messages; '-' is standard input, '@file' a file.", Arity = ArgumentArity.ZeroOrMore };
        var framing = WordOption.Create<Framing>("--framing", "How messages are framed, and answers are cut.", "framing");
        var lines = new Option<bool>("--lines") { Description = "Each line of standard input or of a file is a message, without its end." };
        var replies = NumberOption.Create("--replies", "Wait for this many answers, and do not end this side before.", 1, int.MaxValue);
        var noReply = new Option<bool>("--no-reply") { Description = "Wait for no answer." };
        var retry = NumberOption.Create("--retry", $"UDP: how often a message is sent again (default: {DefaultRetries}).", 0, MaxRetries);
        var hex = new Option<bool>("--hex") { Description = "Show answers as a hex dump." };
        var link = new LinkOptions();
        var command = new Command("send", "Sends messages and prints the answers.") { url, text, framing, lines, replies, noReply, retry, hex };
        link.AddTo(command);
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var options = new SendOptions
            {
                Framing = result.GetValue(framing) ?? SendOptions.DefaultFraming(target),
                Replies = result.GetValue(noReply) ? 0 : result.GetValue(replies),
                Retries = result.GetValue(retry) ?? DefaultRetries,
                Timeout = result.GetValue(CommonOptions.Timeout),
            };
            var view = result.GetValue(hex) ? View.Hex : result.GetValue(CommonOptions.Json) ? View.Json : console.IsOutputTerminal ? View.Escaped : View.Exact;
            var isUdp = target.Transport == Transport.Udp;
            var messages = new MessageSource(console, result.GetValue(text) ?? [], result.GetValue(lines), isWhole: isUdp || options.Framing is not Framing.Chunk);
            var incoming = new Incoming(view, result.GetValue(framing), isUdp);
            var dialer = link.Dialer(result, target);
            await (isUdp ? new DatagramSender(console, dialer, options, incoming).RunAsync(messages, token) : new StreamSender(console, dialer, options, incoming).RunAsync(messages, token));
            return ExitCode.Done;
        });
        return HelpText.WithHelp(command, Notes);
    }
}

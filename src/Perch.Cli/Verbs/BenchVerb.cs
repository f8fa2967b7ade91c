using System.CommandLine;
using System.Text;
using Perch.Cli.Bench;
using Perch.Cli.CommandLine;
using Perch.Cli.Json;
using Perch.Cli.Net;

namespace Perch.Cli.Verbs;

/// <summary><c>perch bench</c>: measures a server.</summary>
internal static class BenchVerb
{
    private const int DefaultConnections = 50;
    private const int DefaultRounds = 5;
    private const double DefaultPing = 0.01;
    private const int MaxSize = 1 << 20;
    private const int MaxDepth = 65535;

    private const string Notes = """
        Modes:
          echo     messages that come back; every byte is compared (default)
          line     lines, each answered with a line that begins with OK (record://)
          connect  connect, send a message, read it back, close, again
          hold     open connections and keep them; --ping of them echo a message each second
          stream   bytes as fast as they go; --both: and back
          udp      datagrams that come back (default for udp://)

        Closed loop: each answer lets the next message go, --depth of them at once on each connection. A server that stalls then slows the load down
        with it, and hides. Open loop (--rate): messages go at their times whatever the server does, and latency counts from the time at which
        a message should have gone.

        A server that puts something before what it sends back (Perch's echo: GOT:) needs --prefix. The load runs on one thread; --pid shows what the
        server spends (Linux).

        A load of record:// or --mode line is stored in the server's database: perch asks before, and in a script needs --yes.

        Exit code 1: there were errors, or wrong content.

        Examples:
          perch bench localhost:25000 --prefix GOT:
          perch bench localhost:7 --connections 100 --depth 16 --svg echo.svg
          perch bench localhost:7 --rate 20000 --duration 30s
          perch bench record://localhost --mode line --depth 100 --yes --json
          perch bench localhost:7 --against localhost:8007 --rounds 10 --duration 2s
        """;

    public static Command Create(CliConsole console)
    {
        var url = TargetArgument.Create("Where to: tcp://host:port, udp://, unix:/path, host:port.");
        var mode = WordOption.Create<BenchMode>("--mode", "What the load does.", "mode");
        var connections = NumberOption.Create("--connections", $"How many (default: {DefaultConnections}).", 1, 1_000_000).WithAlias("-c");
        var size = new Option<long?>("--size", "-s") { Description = "Bytes of a message (default: 64; stream: 64k).", HelpName = "size", CustomParser = ByteSize.Parse };
        var depth = NumberOption.Create("--depth", "Messages in flight at once on each connection (default: 1).", 1, MaxDepth);
        var rate = NumberOption.Create("--rate", "Messages a second in all: an open loop (echo, line).", 0.0, 10_000_000);
        var duration = new Option<TimeSpan?>("--duration", "-d") { Description = "How long to measure (default: 5s).", HelpName = "time", CustomParser = Duration.Parse };
        var warmUp = new Option<TimeSpan?>("--warm-up") { Description = "Load before that (default: 1s).", HelpName = "time", CustomParser = Duration.Parse };
        var prefix = new Option<string>("--prefix") { Description = "What the server puts before each answer.", HelpName = "text", DefaultValueFactory = _ => "" };
        var ping = NumberOption.Create(
            "--ping", "hold: the part of the connections that echo a message each second, 0 to 1 (default: 0.01).", 0.0, 1, "part");
        var both = new Option<bool>("--both") { Description = "stream: read what comes back, and compare it." };
        var pid = NumberOption.Create("--pid", "The server's process, to show its processor time.", 1, int.MaxValue);
        var svg = FileOption.Create("--svg", "Draw latency and throughput into this file.");
        var against = new Option<Target?>("--against") { Description = "Compare with this target, in turns.", HelpName = "URL", CustomParser = TargetArgument.Parse };
        var rounds = NumberOption.Create("--rounds", $"Turns of a comparison (default: {DefaultRounds}).", 1, 1000);
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask before a load of record:// or --mode line is stored." };
        var command = new Command("bench", "Loads a server and measures throughput and latency.")
        {
            url, mode, connections, size, depth, rate, duration, warmUp, prefix, ping, both, pid, svg, against, rounds, yes,
        };
        command.SetAction(async (result, token) =>
        {
            var target = result.GetRequiredValue(url);
            var wanted = result.GetValue(mode) ?? (target.Transport == Transport.Udp ? BenchMode.Udp : BenchMode.Echo);
            var options = new BenchOptions
            {
                Mode = wanted,
                Connections = result.GetValue(connections) ?? DefaultConnections,
                Size = (int)Math.Min(int.MaxValue, result.GetValue(size) ?? (wanted == BenchMode.Stream ? 64 * 1024 : 64)),
                Depth = result.GetValue(depth) ?? 1,
                Rate = result.GetValue(rate) ?? 0,
                Duration = result.GetValue(duration) ?? TimeSpan.FromSeconds(5),
                WarmUp = result.GetValue(warmUp) ?? TimeSpan.FromSeconds(1),
                Prefix = Encoding.UTF8.GetBytes(result.GetValue(prefix) ?? ""),
                Ping = result.GetValue(ping) ?? DefaultPing,
                IsBothWays = result.GetValue(both),
                ConnectTimeout = result.GetTimeout(),
                ServerProcess = result.GetValue(pid),
            };
            var other = result.GetValue(against);
            Check(options, target);
            if (other is not null) Check(options, other);
            if (!result.GetValue(yes))
                await ConfirmAsync(console, other is null ? [target] : [target, other], options, token);
            var isJson = result.GetValue(CommonOptions.Json);
            IReadOnlyList<BenchResult> results;
            if (other is null)
            {
                var measured = await BenchRun.RunAsync(console, target, options, target.Address, token);
                await console.Out.WriteAsync(isJson ? measured.ToJson().ToText() + "\n" : BenchReport.Text(measured));
                results = [measured];
            }
            else
            {
                var comparison = new BenchComparison(console, target, other, options, result.GetValue(rounds) ?? DefaultRounds);
                await comparison.RunAsync(token);
                await console.Out.WriteAsync(isJson ? comparison.ToJson().ToText() + "\n" : comparison.Text());
                results = [.. comparison.Results];
            }

            if (result.GetValue(svg) is { } file) await File.WriteAllTextAsync(file.FullName, SvgPlot.Draw(results), token);
            if (results.FirstOrDefault(r => r.Progress.Errors > 0) is not { } failed) return ExitCode.Done;
            if (isJson || other is not null) await console.SayAsync($"perch: {failed.Target}: {failed.Progress.Errors} errors; the first: {failed.Progress.FirstError}");
            return ExitCode.Refused;
        });
        return HelpText.WithHelp(command, Notes);
    }

    private static void Check(BenchOptions options, Target target)
    {
        if (target.IsTls) throw Usage("There is no load over TLS: give tcp://.");
        if (options.Mode == BenchMode.Udp != (target.Transport == Transport.Udp)) throw Usage("--mode udp and udp:// belong together.");
        if (options.Size is < 1 or > MaxSize) throw Usage($"--size is 1 to {MaxSize}.");
        if (options.Mode == BenchMode.Udp && options.Size > 65000) throw Usage("--size of a datagram is at most 65000.");
        if (options is { Mode: BenchMode.Line, Size: < 2 or > 65536 }) throw Usage("--size of a line is 2 to 65536, its end counted.");
        if (options.Rate > 0 && options.Mode is not (BenchMode.Echo or BenchMode.Line)) throw Usage("--rate is for echo and line.");
    }

    /// <summary>A line that is answered with OK is stored: a load would fill the database of a server that is in use.</summary>
    private static async Task ConfirmAsync(CliConsole console, Target[] targets, BenchOptions options, CancellationToken cancellationToken)
    {
        var stored = options.Mode == BenchMode.Line ? targets : Array.FindAll(targets, target => target.Protocol == "record");
        if (stored.Length == 0)
            return;
        var addresses = string.Join(" and ", stored.Select(target => target.Address));
        var warning = $"The load is stored in the database of {addresses}, and is not deleted afterwards.";
        if (!console.IsInputTerminal || !console.IsErrorTerminal)
            throw Usage($"{warning} Give --yes if that is wanted.");
        await console.Error.WriteAsync($"{warning} Go on? [y/N] ");
        await console.Error.FlushAsync(cancellationToken);
        var answer = await new LineSource(console.Input).ReadAsync(cancellationToken).AsTask().WaitAsync(cancellationToken);
        if (answer is not { } line || Encoding.UTF8.GetString(line.Span).Trim().ToUpperInvariant() is not ("Y" or "YES"))
            throw Usage("Nothing was sent.");
    }

    private static CliException Usage(string text) => new(ExitCode.Usage, text);
}

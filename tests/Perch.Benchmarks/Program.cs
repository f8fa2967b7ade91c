using System.Globalization;
using BenchmarkDotNet.Running;
using Perch.Benchmarks;

try
{
    switch (args)
    {
        // One of the servers, on a port that it prints; started by the comparison itself.
        case ["serve", "plain-udp"]:
            return await PlainUdpEcho.RunAsync();
        case ["serve", var name]:
            return await BareServer.RunAsync(name);
        case ["transport", .. var rest]:
            await TransportAsync(new(rest, "--servers", "--case", "--rounds", "--seconds"));
            return 0;
        case ["idle", .. var rest]:
            await IdleAsync(new(rest, "--servers", "--to", "--settle", "--hold"));
            return 0;
        case ["soak", .. var rest] when rest.Length <= 1:
            return await new Soak(TimeSpan.FromMinutes(rest.Length == 1 ? double.Parse(rest[0], CultureInfo.InvariantCulture) : 60)).RunAsync();
        case ["codecs"]:
            BenchmarkRunner.Run<CodecBenchmarks>(CodecBenchmarks.Config);
            return 0;
        case ["records"]:
            await new RecordComparison(rounds: 5, TimeSpan.FromSeconds(3)).RunPipelinedAsync();
            return 0;
        case ["records-before"]:
            await new RecordComparison(rounds: 9, TimeSpan.FromSeconds(3)).RunBeforeAsync();
            return 0;
        case ["records-lone"]:
            await new RecordComparison(rounds: 9, TimeSpan.FromSeconds(1)).RunLoneAsync();
            return 0;
        case ["udp-flood"]:
            await new FloodComparison(rounds: 7, TimeSpan.FromSeconds(2)).RunAsync();
            return 0;
        case ["files", .. var rest] when rest.Length <= 1:
            await new FileComparison(rest.Length == 1 ? int.Parse(rest[0], CultureInfo.InvariantCulture) : 1024, rounds: 5).RunAsync();
            return 0;
        case ["records-postgres", var connectionString]:
            await new PostgresComparison(connectionString, rounds: 5, TimeSpan.FromSeconds(3)).RunAsync();
            return 0;
        case ["records-rows", .. var rest] when rest.Length <= 1:
            var rows = rest.Length == 1 ? int.Parse(rest[0], CultureInfo.InvariantCulture) : 10_000_000;
            await new RowsComparison(rows, rounds: 5, TimeSpan.FromSeconds(3)).RunAsync();
            return 0;
        case [] or [['-', '-', ..], ..] when args is not ["--help"]:
            await CompareAsync(new(args, "--servers", "--case", "--rounds", "--seconds"));
            return 0;
        default:
            await Console.Error.WriteLineAsync(Usage());
            return 2;
    }
}
catch (Exception exception) when (exception is ArgumentException or FormatException)
{
    await Console.Error.WriteLineAsync($"{exception.Message}\n\n{Usage()}");
    return 2;
}
catch (Exception exception) when (exception is InvalidOperationException or HttpRequestException)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 1;
}

static async Task CompareAsync(Arguments arguments)
{
    using var generator = await LoadGenerator.CompileAsync();
    var servers = arguments.List("--servers", ["bare", "perch"], ServerCommand.Names);
    foreach (var name in arguments.List("--case", ["echo"], BenchCase.All.Keys))
    {
        await new Comparison(servers, BenchCase.All[name], arguments.Integer("--rounds", 9), arguments.Seconds("--seconds", 3)).RunAsync(generator);
    }
}

static Task TransportAsync(Arguments arguments) => new TransportReport(
    arguments.List("--servers", ServerCommand.Transport, ServerCommand.Names),
    arguments.List("--case", BenchCase.Transport, BenchCase.Transport),
    arguments.Integer("--rounds", 7),
    arguments.Seconds("--seconds", 2)).RunAsync();

static async Task IdleAsync(Arguments arguments)
{
    using var generator = await LoadGenerator.CompileAsync();
    var servers = arguments.List("--servers", IdleComparison.Servers, ServerCommand.Names);
    var idle = new IdleComparison(generator, arguments.Integer("--to", 15_000), arguments.Seconds("--settle", 5));
    if (arguments.Integer("--hold", 0) is not (> 0 and var minutes)) await idle.RunAsync(servers);
    else await idle.HoldAsync(servers[^1], minutes);
}

static string Usage() =>
    $"""
    Compares servers in interleaved rounds: server CPU per message, and ratios to the first server of the list.
      --servers {string.Join(',', ServerCommand.Names)} (default bare,perch)
      --case {string.Join(',', BenchCase.All.Keys)} (default echo)
      --rounds N (default 9)   --seconds S of each measurement (default 3)
    transport: all cases of TCP servers that echo, and idle connections, as Markdown; takes half an hour
      --servers (default {string.Join(',', ServerCommand.Transport)})
      --case (default all)   --rounds N (default 7)   --seconds S (default 2)
    idle: the memory of an idle connection
      --servers (default {string.Join(',', IdleComparison.Servers)})
      --to N connections (default 15000, to 1000000)   --settle S before memory is read (default 5)
      --hold MINUTES: the last of the servers holds them, a tenth of them says something each minute; then it is stopped
    soak [MINUTES]: random connections and reloads against perch-direct (default 60); fails on wrong content or growth
    codecs: framings and TFTP's packets, by BenchmarkDotNet
    records, records-lone: the record endpoint against bare loops over SQLite; many lines, or one at a time
    records-before: the record endpoint against that of the earlier build in the folder {ServerCommand.BeforeVariable}
    records-postgres CONNECTIONSTRING: the record endpoint over PostgreSQL against a bare COPY
    records-rows [ROWS]: records with so many rows (default 10,000,000) against 10,000, in TMPDIR
    udp-flood: what TCP clients wait while garbage comes over UDP, against what they wait in quiet
    files [MEBIBYTES]: a file up and down (default 1024), against socat, nginx and vsftpd, in TMPDIR
    """;

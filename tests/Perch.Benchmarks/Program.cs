using System.Globalization;
using Perch.Benchmarks;

// serve NAME: one of the servers, on a port that it prints; started by the comparison itself.
if (args is ["serve", "plain-udp"]) return await PlainUdpEcho.RunAsync();
if (args is ["serve", var name]) return await BareServer.RunAsync(name);

if (args is ["records"])
{
    await new RecordComparison(rounds: 5, TimeSpan.FromSeconds(3)).RunPipelinedAsync();
    return 0;
}

if (args is ["records-lone"])
{
    await new RecordComparison(rounds: 9, TimeSpan.FromSeconds(1)).RunLoneAsync();
    return 0;
}

if (args is ["udp-flood"])
{
    await new FloodComparison(rounds: 7, TimeSpan.FromSeconds(2)).RunAsync();
    return 0;
}

if (args is ["files", ..] && args.Length <= 2)
{
    await new FileComparison(args.Length == 2 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 1024, rounds: 5).RunAsync();
    return 0;
}

if (args is ["records-postgres", var connectionString])
{
    await new PostgresComparison(connectionString, rounds: 5, TimeSpan.FromSeconds(3)).RunAsync();
    return 0;
}

if (args is ["records-rows", ..] && args.Length <= 2)
{
    var rows = args.Length == 2 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 10_000_000;
    await new RowsComparison(rows, rounds: 5, TimeSpan.FromSeconds(3)).RunAsync();
    return 0;
}

var options = args.Chunk(2).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
string Option(string key, string otherwise) => options.GetValueOrDefault(key, otherwise);
if (args.Length % 2 == 1 || options.Keys.Except(["--servers", "--case", "--rounds", "--seconds"]).Any() || !BenchCase.All.ContainsKey(Option("--case", "echo")))
{
    await Console.Error.WriteLineAsync(
        $"""
        Compares servers in interleaved rounds: server CPU per message, and ratios to the first server of the list.
          --servers {string.Join(',', ServerCommand.Names)} (default bare,perch)
          --case {string.Join('|', BenchCase.All.Keys)} (default echo)
          records, records-lone: the record endpoint against bare loops over SQLite; many lines, or one at a time
          udp-flood: what TCP clients wait while garbage comes over UDP, against what they wait in quiet
          files [MEBIBYTES]: a file up and down (default 1024), against socat, nginx and vsftpd, in TMPDIR
          records-postgres CONNECTIONSTRING: the record endpoint over PostgreSQL against a bare COPY
          records-rows [ROWS]: records with so many rows (default 10,000,000) against 10,000, in TMPDIR
          --rounds N (default 9)   --seconds S of each measurement (default 3)
        """);
    return 2;
}

using var generator = await LoadGenerator.CompileAsync();
var comparison = new Comparison(
    Option("--servers", "bare,perch").Split(','),
    BenchCase.All[Option("--case", "echo")],
    int.Parse(Option("--rounds", "9"), CultureInfo.InvariantCulture),
    TimeSpan.FromSeconds(double.Parse(Option("--seconds", "3"), CultureInfo.InvariantCulture)));
await comparison.RunAsync(generator);
return 0;

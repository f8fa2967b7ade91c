using System.Globalization;
using Perch.Benchmarks;

// serve NAME: one of the servers, on a port that it prints; started by the comparison itself.
if (args is ["serve", "plain-udp"]) return await PlainUdpEcho.RunAsync();
if (args is ["serve", var name]) return await BareServer.RunAsync(name);

if (args is ["records"])
{
    await new RecordComparison(rounds: 5, TimeSpan.FromSeconds(3)).RunAsync();
    return 0;
}

var options = args.Chunk(2).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
string Option(string key, string otherwise) => options.GetValueOrDefault(key, otherwise);
if (args.Length % 2 == 1 || options.Keys.Except(["--servers", "--case", "--rounds", "--seconds"]).Any() || !BenchCase.All.ContainsKey(Option("--case", "echo")))
{
    await Console.Error.WriteLineAsync(
        $"""
        Compares servers in interleaved rounds: server CPU per message, and ratios to the first server of the list.
          --servers {string.Join(',', ServerProcess.Names)} (default bare,perch)
          --case {string.Join('|', BenchCase.All.Keys)} (default echo)
          records: the record endpoint against bare loops over SQLite
          --rounds N (default 9)   --seconds S of each measurement (default 3)
        """);
    return 2;
}

var comparison = new Comparison(
    Option("--servers", "bare,perch").Split(','),
    BenchCase.All[Option("--case", "echo")],
    int.Parse(Option("--rounds", "9"), CultureInfo.InvariantCulture),
    TimeSpan.FromSeconds(double.Parse(Option("--seconds", "3"), CultureInfo.InvariantCulture)));
await comparison.RunAsync();
return 0;

using Perch.Cli;

using var interruption = new Interruption();
return await PerchCli.RunAsync(args, CliConsole.OfProcess(), interruption);

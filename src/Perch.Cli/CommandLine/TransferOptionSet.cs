using System.CommandLine;
using Perch.Cli.Files;

namespace Perch.Cli.CommandLine;

/// <summary>The options of <c>put</c> and <c>get</c>.</summary>
internal sealed class TransferOptionSet
{
    private const int MostParallel = 64;

    private readonly Option<bool> _noResume = new("--no-resume") { Description = "Transfer all, also what is there already." };
    private readonly Option<int> _parallel = new("--parallel") { Description = "Connections at once.", HelpName = "number", DefaultValueFactory = _ => 4 };
    private readonly Option<long?> _limitRate = new("--limit-rate") { Description = "Bytes a second, of all transfers together: 500k, 2M.", HelpName = "size", CustomParser = ByteSize.Parse };
    private readonly Option<int> _retry = new("--retry") { Description = "How often to connect again when the connection breaks and nothing moves.", HelpName = "number", DefaultValueFactory = _ => 10 };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_noResume, _parallel, _limitRate, _retry]) command.Add(option);
    }

    public TransferOptions Read(ParseResult result)
    {
        if (result.GetValue(_parallel) is < 1 or > MostParallel) throw new CliException(ExitCode.Usage, $"--parallel is 1 to {MostParallel}.");
        if (result.GetValue(_retry) is < 0) throw new CliException(ExitCode.Usage, "--retry is at least 0.");
        return new() { Resume = !result.GetValue(_noResume), Parallel = result.GetValue(_parallel), LimitRate = result.GetValue(_limitRate), Retries = result.GetValue(_retry) };
    }
}

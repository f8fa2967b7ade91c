using System.CommandLine;
using Perch.Cli.Files;
using Perch.Cli.Files.Tftp;
using Perch.Cli.Net;
using Perch.Wire.Tftp;

namespace Perch.Cli.CommandLine;

/// <summary>The options of <c>put</c> and <c>get</c>.</summary>
internal sealed class TransferOptionSet
{
    private const int DefaultParallel = 4;
    private const int MaxParallel = 64;
    private const int MaxRetries = 1000;

    private readonly Option<bool> _noResume = new("--no-resume") { Description = "Transfer all, also what is there already." };
    private readonly Option<int?> _parallel = NumberOption.Create("--parallel", "Connections at once (default: 4).", 1, MaxParallel);
    private readonly Option<long?> _limitRate = new("--limit-rate") { Description = "Bytes a second, of all transfers together: 500k, 2M.", HelpName = "size", CustomParser = ByteSize.Parse };
    private readonly Option<int?> _retry = NumberOption.Create(
        "--retry",
        "How often to connect again while nothing moves (default: 10); tftp: how often to send again in a row (default: 5).",
        0, MaxRetries);
    private readonly Option<int?> _blockSize = NumberOption.Create(
        "--blksize", "tftp: bytes of a block, 8 to 65464 (default: 1428).", TftpOptionSet.MinBlockSize, TftpOptionSet.MaxBlockSize);
    private readonly Option<int?> _windowSize = NumberOption.Create(
        "--windowsize",
        "tftp: blocks that are sent before an acknowledgement is waited for, 1 to 65535 (default: 16).", 1, TftpOptionSet.MaxWindowSize);

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_noResume, _parallel, _limitRate, _retry, _blockSize, _windowSize]) command.Add(option);
    }

    public TransferOptions Read(ParseResult result, Target target)
    {
        var isTftp = target.Protocol == Target.Tftp;
        if (!isTftp && (result.GetValue(_blockSize) ?? result.GetValue(_windowSize)) is not null) throw new CliException(ExitCode.Usage, "--blksize and --windowsize are for tftp://.");
        var options = new TransferOptions
        {
            Resume = !result.GetValue(_noResume),
            Parallel = result.GetValue(_parallel) ?? DefaultParallel,
            LimitRate = result.GetValue(_limitRate),
        };
        // TFTP has its own way to try again, and nothing to go on with.
        return isTftp ? options with { Retries = 0, Tftp = Tftp(result) } : options with { Retries = result.GetValue(_retry) ?? options.Retries };
    }

    private TftpAsk Tftp(ParseResult result)
    {
        var ask = TftpAsk.Waiting(result.GetValue(CommonOptions.Timeout));
        return ask with
        {
            BlockSize = result.GetValue(_blockSize) ?? ask.BlockSize,
            WindowSize = result.GetValue(_windowSize) ?? ask.WindowSize,
            Retries = result.GetValue(_retry) ?? ask.Retries,
        };
    }
}

using Perch.Cli.CommandLine;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.CommandLine;

public sealed class ValueTests
{
    [Theory]
    [InlineData("10", 10_000)]
    [InlineData("10s", 10_000)]
    [InlineData("500ms", 500)]
    [InlineData("1.5s", 1500)]
    [InlineData("2m", 120_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("1d", 86_400_000)]
    public void Duration_OfAForm_IsRead(string text, int milliseconds)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1s")]
    [InlineData("25h")]
    [InlineData("2d")]
    [InlineData("1e400")]
    [InlineData("NaN")]
    [InlineData("ms")]
    public void Duration_OfNoForm_IsRefused(string text) => Assert.False(Duration.TryParse(text, out _));

    [Theory]
    [InlineData("1000", 1000)]
    [InlineData("64k", 65536)]
    [InlineData("1.5M", 1572864)]
    [InlineData("2G", 2147483648)]
    public void ByteSize_OfAForm_IsRead(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var read));
        Assert.Equal(bytes, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("k")]
    [InlineData("99999999999999999G")]
    public void ByteSize_OfNoForm_IsRefused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(1023 * 1024, "1.0 MiB")]
    [InlineData(5L << 30, "5.0 GiB")]
    public void ByteSize_Format_HasThreeDigits(long bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));

    [Theory]
    [InlineData(20 * 1024 * 1024, 30_000_000, "20.0/28.6 MiB")]
    [InlineData(0, 100, "0/100 B")]
    [InlineData(1, 2000, "0.0/2.0 KiB")]
    public void ByteSize_FormatOfAPart_HasTheUnitOfTheWhole(double part, double whole, string text) => Assert.Equal(text, ByteSize.Format(part, whole));

    [Theory]
    [InlineData("--timeout", "soon", "time")]
    [InlineData("--framing", "json", "framing")]
    public async Task Option_WithAWrongValue_ExitsWithTwoAndTheCure(string option, string value, string about)
    {
        var run = await CliRun.RunAsync("connect", "localhost:1", option, value);
        run.AssertFailed(ExitCode.Usage, $"'{value}' is not a {about}");
    }

    [Theory]
    [InlineData("Unknown command or option 'dance'. See 'perch --help'.", "dance", "localhost:1")]
    [InlineData("Unknown command or option '--dance'. See 'perch --help'.", "--dance")]
    [InlineData("A command is missing. See 'perch --help'.", "--json")]
    [InlineData("The argument URL is missing: Which: files://host[:port]/name. See 'perch rm --help'.", "rm")]
    [InlineData("The argument FILE is missing: Files and folders of this machine. See 'perch put --help'.", "put", "files://h")]
    [InlineData("--limit needs a value: <number>. See 'perch records --help'.", "records", "--limit")]
    [InlineData("--limit is given 2 times: give it once. See 'perch records --help'.", "records", "--limit", "1", "--limit", "2")]
    [InlineData("Unknown argument or option '-x'. See 'perch ls --help'.", "ls", "files://h", "-x")]
    public async Task CommandLine_ThatIsWrong_SaysWhat(string told, params string[] args) => (await CliRun.RunAsync(args)).AssertFailed(ExitCode.Usage, told);

    [Fact]
    public async Task Help_OfEachVerb_HasExamplesAndExitCodes()
    {
        var verbs = PerchCli.Root(new(Stream.Null, Stream.Null, TextWriter.Null)).Subcommands.Select(command => command.Name).ToList();
        Assert.Contains("connect", verbs);
        foreach (var verb in verbs)
        {
            var help = await CliRun.RunAsync(verb, "--help");
            Assert.Equal(0, help.ExitCode);
            Assert.Contains($"perch {verb}", help.Output, StringComparison.Ordinal);
            Assert.Contains("Examples:", help.Output, StringComparison.Ordinal);
            Assert.Contains("Exit codes:", help.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("perch-cli", help.Output, StringComparison.Ordinal);
            Assert.All(help.Output.Split('\n'), line => Assert.True(line.Length <= 80, line));
            // A command that is broken cannot be copied.
            Assert.DoesNotContain(help.Output.Split("Examples:")[1].Split('\n'), line => line.StartsWith("   ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task CommandLine_WithoutArguments_IsTheHelp()
    {
        var run = await CliRun.RunAsync();
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal((await CliRun.RunAsync("--help")).Output, run.Output);
    }

    [Theory]
    [InlineData("dance")]
    [InlineData("connect")]
    [InlineData("connect", "localhost")]
    [InlineData("connect", "localhost:1", "--nonsense")]
    public async Task CommandLine_ThatIsWrong_ExitsWithTwoAndOneLine(params string[] args)
    {
        var run = await CliRun.RunAsync(args);
        run.AssertFailed(ExitCode.Usage, "--help");
    }
}

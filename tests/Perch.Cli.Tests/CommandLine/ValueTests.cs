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
    [InlineData("--timeout", "soon", "time")]
    [InlineData("--framing", "json", "framing")]
    public async Task Option_WithAWrongValue_ExitsWithTwoAndTheCure(string option, string value, string about)
    {
        var run = await CliRun.RunAsync("connect", "localhost:1", option, value);
        run.AssertFailed(ExitCode.Usage, $"'{value}' is not a {about}");
    }

    [Theory]
    [InlineData("'dance' is no verb and no option. See 'perch --help'.", "dance", "localhost:1")]
    [InlineData("'--dance' is no verb and no option. See 'perch --help'.", "--dance")]
    [InlineData("A verb is missing. See 'perch --help'.")]
    [InlineData("Required argument 'URL' missing for command: 'send'. See 'perch send --help'.", "send")]
    public async Task CommandLine_ThatIsWrong_SaysWhat(string told, params string[] args) => (await CliRun.RunAsync(args)).AssertFailed(ExitCode.Usage, told);

    [Fact]
    public async Task Help_OfEachVerb_HasExamplesAndExitCodes()
    {
        var run = await CliRun.RunAsync("--help");
        Assert.Equal(0, run.ExitCode);
        var verbs = run.Output.Split("Commands:")[1].Split("\n\n")[0].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimStart().Split(' ')[0]).ToList();
        Assert.Contains("connect", verbs);
        foreach (var verb in verbs)
        {
            var help = await CliRun.RunAsync(verb, "--help");
            Assert.Equal(0, help.ExitCode);
            Assert.Contains($"perch {verb}", help.Output, StringComparison.Ordinal);
            Assert.Contains("Examples:", help.Output, StringComparison.Ordinal);
            Assert.Contains("Exit codes:", help.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("perch-cli", help.Output, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData()]
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

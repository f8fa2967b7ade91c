using Perch.Cli.CommandLine;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.CommandLine;

/// <summary>Every option of every command with values that it does not take.</summary>
public sealed class OptionErrorTests
{
    private static readonly string[] BadValues = ["", "zero", "-1", "1e9", "99999999999999999999999", "0x10", "1,5", "\u001b[2Jx"];

    /// <summary>Values that stand for the arguments that a command needs.</summary>
    private static readonly Dictionary<string, string> Arguments = new() { ["URL"] = "localhost:1", ["FILE"] = "file", ["SHELL"] = "bash" };

    public static TheoryData<string, string> ValueOptions()
    {
        var data = new TheoryData<string, string>();
        var root = PerchCli.Root(new(Stream.Null, Stream.Null, TextWriter.Null));
        foreach (var command in root.Subcommands)
        {
            var options = command.Options.Concat(root.Options.Where(option => option.Recursive));
            foreach (var option in options.Where(option => option.ValueType != typeof(bool) && option.Arity.MaximumNumberOfValues > 0))
                data.Add(command.Name, option.Name);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(ValueOptions))]
    public async Task Option_WithABadValue_IsRefusedInItsOwnTerms(string commandName, string optionName)
    {
        var root = PerchCli.Root(new(Stream.Null, Stream.Null, TextWriter.Null));
        var command = root.Subcommands.Single(command => command.Name == commandName);
        var option = command.Options.Concat(root.Options).Single(option => option.Name == optionName);
        var needed = command.Arguments.Where(argument => argument.Arity.MinimumNumberOfValues > 0).Select(argument => Arguments[argument.Name]);
        var isText = option.ValueType == typeof(string);
        foreach (var bad in BadValues)
        {
            string[] args = [commandName, .. needed, $"{optionName}={bad}"];
            var hasErrors = root.Parse(args, new() { ResponseFileTokenReplacer = null }).Errors.Count > 0;
            // Text and paths may be anything that is not empty; the rest takes none of these values.
            Assert.True(hasErrors || isText || (option.ValueType == typeof(FileInfo) && bad.Length > 0), $"{optionName}={bad} is taken");
            if (!hasErrors)
                continue;
            var run = await CliRun.RunAsync(args);
            run.AssertFailed(ExitCode.Usage, optionName);
            Assert.StartsWith($"perch: {optionName}", run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("System.", run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("expected type", run.Error, StringComparison.Ordinal);
            Assert.DoesNotContain('\u001b', run.Error);
        }
    }

    [Theory]
    [InlineData("records", "--limit", "abc", "--limit: 'abc' is not a whole number from 1 to 10000.")]
    [InlineData("records", "--limit", "0", "--limit: '0' is not a whole number from 1 to 10000.")]
    [InlineData("records", "--since", "soon", "--since: 'soon' is not a time: write 2026-11-20T00:00:00Z, 2026-11-20, or 1h, 30m or 7d for a time before now.")]
    [InlineData("records", "--since", "01/02/2026", "--since: '01/02/2026' is not a time: write")]
    [InlineData("bench", "-c", "zero", "--connections: 'zero' is not a whole number from 1 to 1000000.")]
    [InlineData("bench", "--ping", "2", "--ping: '2' is not a number from 0 to 1.")]
    [InlineData("put", "--limit-rate", "fast", "--limit-rate: 'fast' is not a number of bytes: write 1000, 64k, 1.5M or 2G.")]
    [InlineData("record", "--window", "0", "--window: '0' is not a whole number from 1 to 100000.")]
    [InlineData("connect", "--framing", "json", "--framing: 'json' is not a framing: write chunk, line, length, syslog.")]
    [InlineData("connect", "--ca", "", "--ca: '' is not the path of a file.")]
    [InlineData("bench", "--against", "gopher://h:70", "--against: 'gopher' is not a scheme")]
    public async Task Option_WithABadValue_SaysWhatItTakes(string command, string option, string value, string told)
    {
        string[] needed = command switch { "records" => [], "put" => ["files://h", "file"], _ => ["localhost:1"] };
        (await CliRun.RunAsync([command, .. needed, option, value])).AssertFailed(ExitCode.Usage, told);
    }

    [Theory]
    [InlineData("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z")]
    [InlineData("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00Z")]
    [InlineData("2026-11-20 10:00", "2026-11-20T10:00:00Z")]
    [InlineData("2026-11-20", "2026-11-20T00:00:00Z")]
    [InlineData("1h", "2026-11-21T11:00:00Z")]
    [InlineData("30m", "2026-11-21T11:30:00Z")]
    [InlineData("90s", "2026-11-21T11:58:30Z")]
    [InlineData("7d", "2026-11-14T12:00:00Z")]
    [InlineData("36h", "2026-11-20T00:00:00Z")]
    public void Since_OfAForm_IsRead(string text, string expected)
    {
        var now = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
        Assert.True(SinceOption.TryParse(text, now, out var since));
        Assert.Equal(expected, since.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture));
    }
}

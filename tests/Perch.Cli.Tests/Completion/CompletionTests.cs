using System.Diagnostics;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Completion;

public sealed class CompletionTests
{
    [Theory]
    [InlineData("perch con", "connect")]
    [InlineData("perch connect localhost:1 --fra", "--framing")]
    [InlineData("perch connect localhost:1 --framing l", "length")]
    [InlineData("perch completion b", "bash")]
    public async Task Suggest_AtTheEndOfALine_HasWhatFits(string line, string word)
    {
        var run = await CliRun.RunAsync($"[suggest:{line.Length}]", line);
        Assert.Equal(0, run.ExitCode);
        Assert.Contains(word, run.Output.Split('\n'));
    }

    [Fact]
    public async Task Completion_ForBash_CompletesInBash()
    {
        if (!File.Exists("/bin/bash")) return;
        var folder = Directory.CreateTempSubdirectory("perch-");
        var script = Path.Combine(folder.FullName, "completion");
        await File.WriteAllTextAsync(script, (await CliRun.RunAsync("completion", "bash")).Output);
        var perch = Path.Combine(AppContext.BaseDirectory, "perch-cli");
        var ask = $"perch() {{ '{perch}' \"$@\"; }}; source '{script}'; COMP_LINE='perch rec'; COMP_POINT=9; COMP_WORDS=(perch rec); COMP_CWORD=1; _perch; echo \"${{COMPREPLY[@]}}\"";
        using var bash = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", ask]) { UseShellExecute = false, RedirectStandardOutput = true })!;
        Assert.Equal("record records", (await bash.StandardOutput.ReadToEndAsync()).Trim());
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Suggest_OfWords_HasEachOnceAsItIsDocumented()
    {
        const string Line = "perch bench localhost:1 --mode ";
        Assert.Equal("connect echo hold line stream udp", string.Join(' ', (await CliRun.RunAsync($"[suggest:{Line.Length}]", Line)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public async Task Completion_ForAnUnknownShell_TellsWhichThereAre() =>
        (await CliRun.RunAsync("completion", "cmd")).AssertFailed(ExitCode.Usage, "'cmd' not recognized. Must be one of: 'bash' 'zsh' 'fish'. See 'perch completion --help'.");
}

using System.Text;

namespace Perch.Cli.Tests.Hosting;

/// <summary>The client in this process, with streams of its own; every run ends within <see cref="Deadline"/>.</summary>
internal sealed record CliRun(int ExitCode, byte[] OutputBytes, string Error)
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public string Output => Encoding.UTF8.GetString(OutputBytes);

    public static Task<CliRun> RunAsync(params string[] args) => RunWithAsync("", args);

    public static Task<CliRun> RunWithAsync(string input, params string[] args) => RunWithAsync(Encoding.UTF8.GetBytes(input), args);

    public static Task<CliRun> RunWithAsync(byte[] input, params string[] args) => RunWithAsync(input, new StringWriter(), args);

    /// <param name="input">Standard input.</param>
    /// <param name="error">Standard error, for a test that waits for a line of it.</param>
    /// <param name="args">The command line.</param>
    public static async Task<CliRun> RunWithAsync(byte[] input, StringWriter error, params string[] args)
    {
        using var output = new MemoryStream();
        return await RunAsync(new(new MemoryStream(input), output, error), output, args);
    }

    /// <summary>Standard output leads to a terminal; keys cannot be typed.</summary>
    public static async Task<CliRun> RunOnTerminalAsync(params string[] args)
    {
        using var output = new MemoryStream();
        return await RunAsync(new(Stream.Null, new LineEndStream(output), new StringWriter()) { IsOutputTerminal = true, IsErrorTerminal = true }, output, args);
    }

    private static async Task<CliRun> RunAsync(CliConsole console, MemoryStream output, string[] args)
    {
        using var interruption = new Interruption();
        var code = await Task.Run(() => PerchCli.RunAsync(args, console, interruption)).WaitAsync(Deadline);
        return new(code, output.ToArray(), console.Error.ToString()!);
    }

    /// <summary>One line, no stack, and this exit code.</summary>
    public void AssertFailed(int exitCode, string text)
    {
        Assert.True(exitCode == ExitCode, $"exit code {ExitCode}: {Error}");
        Assert.StartsWith("perch: ", Error, StringComparison.Ordinal);
        Assert.Contains(text, Error, StringComparison.Ordinal);
        Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
    }
}

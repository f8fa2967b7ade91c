using System.Diagnostics;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Cli;

/// <summary>The client's executable, as a person starts it.</summary>
internal sealed class PerchClient : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _seen = new();
    private readonly StringBuilder _seenErrors = new();
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    private PerchClient(string folder, string[] arguments)
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        _process = Process.Start(new ProcessStartInfo(Executable, arguments)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = utf8,
            StandardOutputEncoding = utf8,
            StandardErrorEncoding = utf8,
            // What it remembers from one run to the next stays in the test's own folder.
            Environment = { ["XDG_STATE_HOME"] = folder },
        })!;
        (_output, _error) = (ReadAsync(_process.StandardOutput, _seen), ReadAsync(_process.StandardError, _seenErrors));
    }

    /// <summary>The build's own output, beside the test assembly.</summary>
    public static string Executable { get; } = Path.Combine(AppContext.BaseDirectory, "perch-cli");

    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Its standard output until now.</summary>
    public string Seen => Text(_seen);

    /// <summary>Its standard error until now.</summary>
    public string SeenErrors => Text(_seenErrors);

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    public static PerchClient Start(string folder, params string[] arguments) => new(folder, arguments);

    public static async Task<Ended> RunAsync(string folder, string input, params string[] arguments)
    {
        await using var client = new PerchClient(folder, arguments);
        await client.Input.WriteAsync(Encoding.UTF8.GetBytes(input));
        return await client.EndAsync();
    }

    /// <summary>Must end with 0.</summary>
    /// <returns>Its standard output.</returns>
    public static async Task<string> SucceedAsync(string folder, params string[] arguments)
    {
        var ended = await RunAsync(folder, "", arguments);
        Assert.True(ended.ExitCode == 0, $"perch {string.Join(' ', arguments)} ended with {ended.ExitCode}: {ended.Errors}");
        return ended.Output;
    }

    public void Signal(int signal) => ServerProcess.Signal(_process.Id, signal);

    /// <summary>Ends its input and waits for its end.</summary>
    public async Task<Ended> EndAsync()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended already.
        }

        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        return new(_process.ExitCode, await _output, await _error);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        _process.Dispose();
    }

    private static string Text(StringBuilder seen)
    {
        lock (seen) return seen.ToString();
    }

    private static async Task<string> ReadAsync(StreamReader reader, StringBuilder seen)
    {
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer.AsMemory()) is var length and > 0)
        {
            lock (seen) seen.Append(buffer, 0, length);
        }

        return Text(seen);
    }
}

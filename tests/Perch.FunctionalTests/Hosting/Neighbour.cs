using System.Diagnostics;
using System.Text;

namespace Perch.FunctionalTests.Hosting;

/// <summary>Somebody else's program.</summary>
internal sealed class Neighbour : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Task _reading;

    private Neighbour(string program, IEnumerable<string> arguments)
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        _process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = utf8,
            StandardOutputEncoding = utf8,
            StandardErrorEncoding = utf8,
        })!;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
    }

    public TextWriter Input => _process.StandardInput;

    /// <summary>Both its outputs until now.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public static Neighbour Start(string program, IEnumerable<string> arguments) => new(program, arguments);

    /// <summary>Runs it to its end; it must end with 0.</summary>
    /// <returns>Both its outputs.</returns>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string input)
    {
        await using var neighbour = new Neighbour(program, arguments);
        await neighbour.Input.WriteAsync(input);
        neighbour._process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await neighbour._process.WaitForExitAsync(limit.Token);
        await neighbour._reading.WaitAsync(limit.Token);
        Assert.True(neighbour._process.ExitCode == 0, $"{program} ended with {neighbour._process.ExitCode}: {neighbour.Output}");
        return neighbour.Output;
    }

    /// <summary>Sends it a signal that ends it, and waits until it has.</summary>
    public async Task EndAsync(int signal)
    {
        ServerProcess.Signal(_process.Id, signal);
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer.AsMemory()) is var length and > 0)
        {
            lock (_output) _output.Append(buffer, 0, length);
        }
    }
}

using System.Diagnostics;
using System.Text;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>A Python program of the folders servers and clients.</summary>
internal sealed class PythonProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<int> _port = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PythonProgram(string folder, string program, IEnumerable<string> arguments)
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        string[] all = ["-X", "utf8", Repository.PathOf($"tests/Perch.FunctionalTests/Tutorials/{folder}/{program}"), .. arguments];
        _process = new()
        {
            StartInfo = new("python3", all)
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                StandardInputEncoding = utf8,
                StandardOutputEncoding = utf8,
            },
        };
        _process.OutputDataReceived += (_, line) => OnOutput(line.Data);
        _process.ErrorDataReceived += (_, _) => { };
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The port that the server printed.</summary>
    public int Port => _port.Task.Result;

    /// <summary>Standard output so far, without the line that names the port.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>Starts a server on a port that the kernel chooses and waits until it listens.</summary>
    public static async Task<PythonProgram> StartServerAsync(string program, params string[] arguments)
    {
        var server = new PythonProgram("servers", program, ["0", .. arguments]);
        await server._port.Task.WaitAsync(Poll.Deadline);
        return server;
    }

    /// <summary>Runs a server that is expected to end by itself.</summary>
    public static Task<Ended> RunServerAsync(string program, params string[] arguments) => RunAsync("servers", program, "", arguments);

    /// <summary>Runs a client to its end.</summary>
    /// <returns>Its standard output.</returns>
    public static async Task<string> RunClientAsync(string program, int port, IEnumerable<string> arguments, string input = "")
    {
        var ended = await RunAsync("clients", program, input, ["127.0.0.1", $"{port}", .. arguments]);
        Assert.True(ended.ExitCode == 0, $"{program} ended with {ended.ExitCode}: {ended.Output}");
        return ended.Output;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        _process.Dispose();
    }

    private static async Task<Ended> RunAsync(string folder, string program, string input, IEnumerable<string> arguments)
    {
        await using var python = new PythonProgram(folder, program, arguments);
        await python._process.StandardInput.WriteAsync(input);
        python._process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await python._process.WaitForExitAsync(limit.Token);
        await python._closed.Task.WaitAsync(limit.Token);
        return new(python._process.ExitCode, python.Output, "");
    }

    private void OnOutput(string? line)
    {
        if (line is null)
        {
            _closed.TrySetResult();
            _port.TrySetException(new InvalidOperationException("The program ended before it printed its port."));
            return;
        }

        if (line.StartsWith("port ", StringComparison.Ordinal))
        {
            _port.TrySetResult(int.Parse(line["port ".Length..]));
            return;
        }

        lock (_output) _output.Append(line).Append('\n');
    }
}

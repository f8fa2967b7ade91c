using System.Diagnostics;
using System.Text.Json;
using Perch.FunctionalTests.Hosting;
using Perch.OtlpReceiver;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>The OTLP/HTTP receiver in a process of its own.</summary>
internal sealed class OtlpReceiverProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;
    private Task<string> _output = Task.FromResult("");

    private OtlpReceiverProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Base address, for <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>.</summary>
    public string Url { get; private set; } = "";

    public static async Task<OtlpReceiverProcess> StartAsync()
    {
        var executable = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "otlp-receiver.exe" : "otlp-receiver");
        var process = new Process
        {
            StartInfo = new(executable)
            {
                UseShellExecute = false,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            },
        };
        process.Start();
        var receiver = new OtlpReceiverProcess(process);
        receiver.Url = await process.StandardOutput.ReadLineAsync().WaitAsync(Poll.Deadline)
            ?? throw new InvalidOperationException(await receiver._errors);
        // From now on: the receiver answers no export while the pipe is full.
        receiver._output = process.StandardOutput.ReadToEndAsync();
        return receiver;
    }

    /// <summary>Ends the process; every request that it answered before is in the result.</summary>
    public async Task<IReadOnlyList<Received>> StopAsync()
    {
        _process.StandardInput.Close();
        var lines = await _output.WaitAsync(Poll.Deadline);
        Assert.Equal("", await _errors.WaitAsync(Poll.Deadline));
        return [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<Received>(line)!)];
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        _process.Dispose();
    }
}

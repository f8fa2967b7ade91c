using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>Idle connections to a server, over as many processes of the load generator as their limit of open files asks for.</summary>
internal sealed class IdleLoad(LoadGenerator generator, ServerProcess server, int ofProcess) : IDisposable
{
    /// <summary>Connections that the load generator opens from one address.</summary>
    private const int OfAddress = 20_000;

    private readonly List<Process> _processes = [];

    public int Count { get; private set; }

    /// <summary>Opens more, until there are so many in all.</summary>
    /// <exception cref="InvalidOperationException">The server refuses or closes one.</exception>
    public async Task OpenAsync(int count)
    {
        for (var index = 0; index * ofProcess < count; index++)
        {
            if (index == _processes.Count) _processes.Add(Start(index));
            await CommandAsync(_processes[index], $"open {Math.Min(ofProcess, count - (index * ofProcess))}");
        }

        Count = count;
    }

    /// <summary>Has so many connections, the next ones in turn, exchange a message each.</summary>
    /// <exception cref="InvalidOperationException">A reply is missing or wrong, or the server has closed a connection.</exception>
    public async Task ExchangeAsync(int count)
    {
        for (var index = 0; index < _processes.Count; index++)
        {
            // Each its share of what there is.
            var own = Math.Min(ofProcess, Count - (index * ofProcess));
            await CommandAsync(_processes[index], $"message {Math.Max(1, (int)((long)count * own / Count))}");
        }
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
    }

    private Process Start(int index)
    {
        string[] command =
        [
            "-c", "1", generator.Executable, "idle", "-p", $"{server.EndPoint.Port}", "-c", $"{ofProcess}",
            "-a", $"{index * ((ofProcess + OfAddress - 1) / OfAddress)}",
        ];
        return Process.Start(new ProcessStartInfo("taskset", command) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
    }

    private async Task CommandAsync(Process process, string command)
    {
        try
        {
            await process.StandardInput.WriteLineAsync(command);
            await process.StandardInput.FlushAsync();
            if (await process.StandardOutput.ReadLineAsync() == "done") return;
        }
        catch (IOException)
        {
            // It has ended.
        }

        throw new InvalidOperationException($"{server.Name}, {Count} idle connections, \"{command}\": {(await process.StandardError.ReadToEndAsync()).Trim()}.");
    }
}

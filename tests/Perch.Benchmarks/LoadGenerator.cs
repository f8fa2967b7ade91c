using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Perch.Benchmarks;

/// <summary>
/// The clients: a program in C (the folder <c>load</c>), since a generator that takes more processor time than the server
/// measures itself. It checks every byte that comes back.
/// </summary>
internal sealed class LoadGenerator : IDisposable
{
    /// <summary>What a sample may take beyond its time: ten thousand connections are opened first.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder;

    private LoadGenerator(DirectoryInfo folder, string executable) => (_folder, Executable) = (folder, executable);

    public string Executable { get; }

    /// <exception cref="InvalidOperationException">There is no compiler.</exception>
    public static async Task<LoadGenerator> CompileAsync()
    {
        var folder = Directory.CreateTempSubdirectory("perch-load-");
        return new(folder, await CompiledProgram.CompileAsync("load", Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "load"), "*.c"), folder));
    }

    /// <exception cref="InvalidOperationException">The server did not do what it should: the message says what.</exception>
    public async Task<LoadResult> RunAsync(ServerProcess server, BenchCase load, TimeSpan duration) => LoadResult.Combine(
        await Task.WhenAll(Enumerable.Range(0, load.Generators).Select(index => RunOneAsync(server, load, index, duration))));

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<LoadResult> RunOneAsync(ServerProcess server, BenchCase load, int index, TimeSpan duration)
    {
        string[] command =
        [
            .. load.Pinned ? (string[])["taskset", "-c", "1"] : [], Executable, load.Mode,
            "-p", $"{server.EndPoint.Port}", "-s", $"{server.Id}", "-c", $"{(load.Connections / load.Generators) + load.Firehoses}",
            "-b", $"{load.Bytes}", "-d", $"{load.Depth}", "-f", $"{load.Firehoses}", "-r", $"{load.Rate}", "-a", $"{index}",
            "-t", duration.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            // Ten thousand connections are all under way a second later.
            "-w", (0.5 + (load.Connections / 10_000.0)).ToString(CultureInfo.InvariantCulture),
        ];
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        using var limit = new CancellationTokenSource(duration + Patience);
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            await process.WaitForExitAsync(limit.Token);
            if (process.ExitCode != 0) throw new InvalidOperationException((await errors).Trim());
            var result = JsonSerializer.Deserialize<LoadResult>(await output, JsonSerializerOptions.Web)!;
            return result.Messages > 0 ? result : throw new InvalidOperationException("no message came back");
        }
        catch (OperationCanceledException exception)
        {
            process.Kill();
            throw new InvalidOperationException("the server does not answer", exception);
        }
    }
}

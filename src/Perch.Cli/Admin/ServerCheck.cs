using System.Diagnostics;
using System.Text.Json.Nodes;
using Perch.Cli.Files;
using Perch.Cli.Json;
using Perch.Wire;

namespace Perch.Cli.Admin;

/// <summary>Runs the server's own <c>--check</c>.</summary>
internal static class ServerCheck
{
    private const string SettingsName = "appsettings.json";
    private const string Variable = "PERCH_SERVER";

    private static readonly string ServerName = OperatingSystem.IsWindows() ? "perch-server.exe" : "perch-server";

    /// <returns>The server's exit code.</returns>
    /// <exception cref="CliException">There is no such file, or no server.</exception>
    public static async Task<int> RunAsync(CliConsole console, FileInfo file, string? server, bool isJson, CancellationToken cancellationToken)
    {
        if (LocalPath.Fault(file.FullName) is { } fault)
            throw new CliException(ExitCode.LocalFile, $"{PeerText.Escape(file.FullName)}: {fault}.");
        var executable = Find(server) ?? throw new CliException(
            ExitCode.LocalFile, $"There is no {ServerName}, which checks: give it with --server or {Variable}, or put it beside perch or on the PATH.");
        // The server reads a file of this name in a folder: one by another name is linked to in a folder of its own, beside links to its neighbours.
        using var folder = file.Name == SettingsName ? null : new LinkedFolder(file);
        using var process = new Process();
        process.StartInfo = new(executable, ["--check", "--contentRoot", folder?.Path ?? file.DirectoryName!]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        process.Start();
        var output = ReadLinesAsync(process.StandardOutput, cancellationToken);
        var errors = ReadLinesAsync(process.StandardError, cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        // The server names the file that it was given.
        string[] told = [.. (await errors).Select(line => folder is null ? line : line.Replace(folder.Settings, file.FullName, StringComparison.Ordinal))];
        if (isJson)
        {
            // Where it counts the faults, they follow one a line, indented.
            var faults = Array.FindAll(told, line => line.StartsWith(' '));
            await console.Out.WriteLineAsync(new JsonObject
            {
                ["valid"] = process.ExitCode == 0,
                ["plan"] = new JsonArray([.. (await output).Select(line => line.Split('\t')).Where(f => f.Length == 3).Select(f => new JsonObject { ["name"] = f[0], ["protocol"] = f[1], ["address"] = f[2] })]),
                ["errors"] = new JsonArray([.. (faults.Length > 0 ? faults : told).Select(line => (JsonNode)line.Trim())]),
            }.ToText());
            return process.ExitCode;
        }

        foreach (var line in await output) await console.Out.WriteLineAsync(string.Join('\t', line.Split('\t').Select(field => PeerText.Escape(field, int.MaxValue))));
        foreach (var line in told) await console.SayAsync(PeerText.Escape(line, int.MaxValue));
        return process.ExitCode;
    }

    private static async Task<string[]> ReadLinesAsync(StreamReader reader, CancellationToken cancellationToken) =>
        (await reader.ReadToEndAsync(cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string? Find(string? given)
    {
        given ??= Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(given)) return File.Exists(given) ? given : throw new CliException(ExitCode.LocalFile, $"{given}: there is no such file.");
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Prepend(AppContext.BaseDirectory).Select(folder => Path.Combine(folder, ServerName)).FirstOrDefault(File.Exists);
    }

    private sealed class LinkedFolder : IDisposable
    {
        public LinkedFolder(FileInfo file)
        {
            Path = Directory.CreateTempSubdirectory("perch-check-").FullName;
            foreach (var entry in file.Directory!.EnumerateFileSystemInfos())
            {
                if (!entry.Name.StartsWith("appsettings.", StringComparison.Ordinal)) File.CreateSymbolicLink(System.IO.Path.Combine(Path, entry.Name), entry.FullName);
            }

            File.CreateSymbolicLink(Settings, file.FullName);
        }

        public string Path { get; }

        public string Settings => System.IO.Path.Combine(Path, SettingsName);

        // The links go, not what they lead to.
        public void Dispose()
        {
            foreach (var entry in new DirectoryInfo(Path).EnumerateFileSystemInfos()) entry.Delete();
            Directory.Delete(Path);
        }
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Perch.Benchmarks;

/// <summary>A server in a process of its own.</summary>
internal sealed class ServerProcess : IDisposable
{
    private const string AdminLabel = "Now listening on: ";

    /// <summary>What a server may hold besides its connections when it has been used: a pool's events, the log.</summary>
    private const int Slack = 8;

    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(15);

    private readonly Process _process;
    private readonly DirectoryInfo? _ownFolder;
    private readonly List<string> _errors = [];

    private ServerProcess(string name, Process process, DirectoryInfo folder, bool kept, Uri? admin, IPEndPoint endPoint) =>
        (Name, _process, Folder, _ownFolder, Admin, EndPoint) = (name, process, folder, kept ? null : folder, admin, endPoint);

    public string Name { get; }

    public int Id => _process.Id;

    /// <summary>The folder that it works in; appsettings.json is there where it is Perch.</summary>
    public DirectoryInfo Folder { get; }

    /// <summary>The endpoint <c>bench</c>.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Null where the server is a bare one.</summary>
    public Uri? Admin { get; }

    /// <summary>Open descriptors.</summary>
    public int Descriptors => Directory.GetFileSystemEntries($"/proc/{Id}/fd").Length;

    /// <summary>The process's share of memory (PSS) in bytes: heaps, stacks, code.</summary>
    public long Memory => ProcFile.Number($"/proc/{Id}/smaps_rollup", "Pss:") * 1024;

    /// <summary>All that the process has in memory (RSS) in bytes, shared libraries too.</summary>
    public long ResidentMemory => ProcFile.Number($"/proc/{Id}/smaps_rollup", "Rss:") * 1024;

    public int Threads => Directory.GetFileSystemEntries($"/proc/{Id}/task").Length;

    /// <summary>Lines of its log at Error or above.</summary>
    public IReadOnlyList<string> Errors
    {
        get
        {
            lock (_errors) return [.. _errors];
        }
    }

    /// <param name="name">One of <see cref="ServerCommand.Names"/>.</param>
    /// <param name="kept">The folder that it works in; without it, one that is deleted with it.</param>
    /// <param name="pinned">Whether it is held to processor 0, on Linux.</param>
    /// <param name="patient">Whether a connection may be idle for an hour.</param>
    public static async Task<ServerProcess> StartAsync(string name, DirectoryInfo? kept = null, bool pinned = true, bool patient = false)
    {
        var folder = kept ?? Directory.CreateTempSubdirectory("perch-bench-");
        if (ServerCommand.IsPerch(name)) await File.WriteAllTextAsync(Path.Combine(folder.FullName, "appsettings.json"), ServerSettings.Create(name, patient));
        var process = Process.Start(await ServerCommand.CreateAsync(name, folder, pinned))!;
        var (port, admin) = (0, default(Uri));
        while (port == 0 && await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("port ", StringComparison.Ordinal)) port = int.Parse(line["port ".Length..]);
            if (line.IndexOf(AdminLabel, StringComparison.Ordinal) is not (var at and >= 0)) continue;
            admin = new(line[(at + AdminLabel.Length)..].Trim());
            port = await PortAsync(admin, "bench");
        }

        if (port == 0) throw new InvalidOperationException($"{name} did not start: exit code {process.ExitCode}.");
        var server = new ServerProcess(name, process, folder, kept is not null, admin, new IPEndPoint(IPAddress.Loopback, port));
        _ = server.ReadOnAsync();
        return server;
    }

    /// <summary>Another endpoint of Perch.</summary>
    public async Task<IPEndPoint> FindAsync(string endpoint) => new(IPAddress.Loopback, await PortAsync(Admin!, endpoint));

    /// <summary>Waits until it has closed what a load left behind.</summary>
    /// <exception cref="InvalidOperationException">It keeps it.</exception>
    public async Task WaitForDescriptorsAsync(int before)
    {
        for (var started = Stopwatch.GetTimestamp(); Descriptors > before + Slack;)
        {
            if (Stopwatch.GetElapsedTime(started) > CloseLimit) throw new InvalidOperationException($"it still has {Descriptors} descriptors open, {before} before the load");
            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    /// <summary>Asks it to end (SIGTERM).</summary>
    /// <returns>How long it took.</returns>
    public async Task<TimeSpan> StopAsync(TimeSpan limit)
    {
        var started = Stopwatch.GetTimestamp();
        using var kill = Process.Start("kill", ["-TERM", $"{Id}"]);
        using var cancellation = new CancellationTokenSource(limit);
        await _process.WaitForExitAsync(cancellation.Token);
        return Stopwatch.GetElapsedTime(started);
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _ownFolder?.Delete(recursive: true);
    }

    /// <summary>What it goes on to print is read away, so that it never waits for us.</summary>
    private async Task ReadOnAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (!line.Contains(" ERR]", StringComparison.Ordinal) && !line.Contains(" FTL]", StringComparison.Ordinal)) continue;
            lock (_errors) _errors.Add(line);
        }
    }

    private static async Task<int> PortAsync(Uri admin, string endpoint)
    {
        using var client = new HttpClient();
        var endpoints = await client.GetFromJsonAsync<JsonElement>(new Uri(admin, "/endpoints"));
        return endpoints.EnumerateArray().Single(row => row.GetProperty("name").ValueEquals(endpoint)).GetProperty("port").GetInt32();
    }
}

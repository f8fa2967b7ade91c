using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Perch.Benchmarks;

/// <summary>A server in a process of its own, on Linux held to processor 0: start the comparison on another one.</summary>
internal sealed class ServerProcess : IDisposable
{
    public static readonly string[] Names = ["bare", "bare-64k", "bare-discard", "bare-discard-64k", "perch", "perch-conversation", "perch-raw", "perch-blocking", "perch-discard", "perch-record", "perch-files", "perch-udp", "perch-flood", "c-udp", "go-udp", "plain-udp"];

    private const string AdminLabel = "Now listening on: ";

    private static readonly object Record = new { Port = 0, Protocol = "record", Options = new { Framing = "Line", Ack = "OK {id}\n" } };

    private readonly Process _process;
    private readonly DirectoryInfo? _ownFolder;

    private ServerProcess(string name, Process process, DirectoryInfo? ownFolder, Uri? admin, IPEndPoint endPoint) =>
        (Name, _process, _ownFolder, Admin, EndPoint) = (name, process, ownFolder, admin, endPoint);

    public string Name { get; }

    /// <summary>The endpoint <c>bench</c>.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Null where the server is a bare one.</summary>
    public Uri? Admin { get; }

    /// <summary>User and system time since the start.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="kept">The folder that it works in; without it, one that is deleted with it.</param>
    public static async Task<ServerProcess> StartAsync(string name, DirectoryInfo? kept = null)
    {
        var folder = kept ?? Directory.CreateTempSubdirectory("perch-bench-");
        var isPerch = name.StartsWith("perch", StringComparison.Ordinal);
        var assembly = Path.Combine(AppContext.BaseDirectory, isPerch ? "perch-server.dll" : "Perch.Benchmarks.dll");
        string[] arguments = isPerch ? ["--contentRoot", folder.FullName] : ["serve", name];
        if (isPerch) await File.WriteAllTextAsync(Path.Combine(folder.FullName, "appsettings.json"), Settings(name));

        string[] command = name switch
        {
            "c-udp" => [await CompiledServer.CompileAsync("udp-echo.c", folder)],
            "go-udp" => [await CompiledServer.CompileAsync("udp-echo.go", folder)],
            _ => ["dotnet", assembly, .. arguments],
        };
        // What others do in several processes is not held to one processor here.
        if (OperatingSystem.IsLinux() && name != "perch-files") command = ["taskset", "-c", "0", .. command];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var (port, admin) = (0, default(Uri));
        while (port == 0 && await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("port ", StringComparison.Ordinal)) port = int.Parse(line["port ".Length..]);
            if (line.IndexOf(AdminLabel, StringComparison.Ordinal) is not (var at and >= 0)) continue;
            admin = new(line[(at + AdminLabel.Length)..].Trim());
            port = await PortAsync(admin, "bench");
        }

        if (port == 0) throw new InvalidOperationException($"{name} did not start: exit code {process.ExitCode}.");
        // What it goes on to print is read away, so that it never waits for us.
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        return new(name, process, kept is null ? folder : null, admin, new IPEndPoint(IPAddress.Loopback, port));
    }

    /// <summary>Another endpoint of Perch.</summary>
    public async Task<IPEndPoint> FindAsync(string endpoint) => new(IPAddress.Loopback, await PortAsync(Admin!, endpoint));

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _ownFolder?.Delete(recursive: true);
    }

    /// <summary>The whole pipeline with its defaults, telemetry and logging: an echo without prefix, of messages up to 64 KiB.</summary>
    private static string Settings(string name) => JsonSerializer.Serialize(new
    {
        Perch = new
        {
            Endpoints = name switch
            {
                "perch-discard" => new() { ["bench"] = new { Port = 0, Protocol = "discard" } },
                "perch-record" => new() { ["bench"] = Record, ["other"] = Record },
                "perch-flood" => new()
                {
                    ["bench"] = new { Port = 0, Protocol = "echo", Options = new { Prefix = "" } },
                    ["flooded"] = new { Port = 0, Transport = "Udp", Protocol = "echo", Options = new { Prefix = "" } },
                },
                "perch-files" => new() { ["bench"] = new { Port = 0, Protocol = "files" } },
                _ => new Dictionary<string, object>
                {
                    // The rate of replies is looked up all the same; every client here is one source.
                    ["bench"] = name == "perch-udp"
                        ? new
                        {
                            Port = 0,
                            Transport = "Udp",
                            Protocol = "echo",
                            Guards = new { RepliesPerSecond = 100_000_000 },
                            Options = new { Prefix = "", MaxMessageBytes = 65535 },
                        }
                        : new { Port = 0, Protocol = name.Replace("perch", "echo", StringComparison.Ordinal), Options = new { Prefix = "", MaxMessageBytes = 65536 } },
                },
            },
        },
        Kestrel = new { Endpoints = new { Admin = new { Url = "http://127.0.0.1:0" } } },
        Serilog = new { MinimumLevel = new { Override = new Dictionary<string, string> { ["Perch.Connections"] = "Warning" } } },
    });

    private static async Task<int> PortAsync(Uri admin, string endpoint)
    {
        using var client = new HttpClient();
        var endpoints = await client.GetFromJsonAsync<JsonElement>(new Uri(admin, "/endpoints"));
        return endpoints.EnumerateArray().Single(row => row.GetProperty("name").ValueEquals(endpoint)).GetProperty("port").GetInt32();
    }
}

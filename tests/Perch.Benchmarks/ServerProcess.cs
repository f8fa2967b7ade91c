using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace Perch.Benchmarks;

/// <summary>A server in a process of its own, on Linux held to processor 0: start the comparison on another one.</summary>
internal sealed class ServerProcess : IDisposable
{
    public static readonly string[] Names = ["bare", "bare-64k", "bare-discard", "bare-discard-64k", "perch", "perch-conversation", "perch-raw", "perch-blocking", "perch-discard", "perch-record", "perch-udp", "c-udp", "plain-udp"];

    private readonly Process _process;
    private readonly DirectoryInfo _folder;

    private ServerProcess(string name, Process process, DirectoryInfo folder, IPEndPoint endPoint) =>
        (Name, _process, _folder, EndPoint) = (name, process, folder, endPoint);

    public string Name { get; }

    public IPEndPoint EndPoint { get; }

    /// <summary>User and system time since the start.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public static async Task<ServerProcess> StartAsync(string name)
    {
        var folder = Directory.CreateTempSubdirectory("perch-bench-");
        var isPerch = name.StartsWith("perch", StringComparison.Ordinal);
        var assembly = Path.Combine(AppContext.BaseDirectory, isPerch ? "perch-server.dll" : "Perch.Benchmarks.dll");
        string[] arguments = isPerch ? ["--contentRoot", folder.FullName] : ["serve", name];
        if (isPerch) await File.WriteAllTextAsync(Path.Combine(folder.FullName, "appsettings.json"), Settings(name));

        string[] command = name == "c-udp" ? [await CompiledServer.CompileAsync("udp-echo.c", folder)] : ["dotnet", assembly, .. arguments];
        if (OperatingSystem.IsLinux()) command = ["taskset", "-c", "0", .. command];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        var port = 0;
        while (port == 0 && await process.StandardOutput.ReadLineAsync() is { } line) port = await PortIn(line);
        if (port == 0) throw new InvalidOperationException($"{name} did not start: exit code {process.ExitCode}.");
        // What it goes on to print is read away, so that it never waits for us.
        _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        return new(name, process, folder, new IPEndPoint(IPAddress.Loopback, port));
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>The whole pipeline with its defaults, telemetry and logging: an echo without prefix, of messages up to 64 KiB.</summary>
    private static string Settings(string name) => JsonSerializer.Serialize(new
    {
        Perch = new
        {
            Endpoints = new Dictionary<string, object>
            {
                ["bench"] = name switch
                {
                    "perch-discard" => new { Port = 0, Protocol = "discard" },
                    "perch-record" => new { Port = 0, Protocol = "record", Options = new { Framing = "Line", Ack = "OK {id}\n" } },
                    // The rate of replies is looked up all the same; every client here is one source.
                    "perch-udp" => new
                    {
                        Port = 0,
                        Transport = "Udp",
                        Protocol = "echo",
                        Guards = new { RepliesPerSecond = 100_000_000 },
                        Options = new { Prefix = "", MaxMessageBytes = 65535 },
                    },
                    _ => new { Port = 0, Protocol = name.Replace("perch", "echo", StringComparison.Ordinal), Options = new { Prefix = "", MaxMessageBytes = 65536 } },
                },
            },
        },
        Kestrel = new { Endpoints = new { Admin = new { Url = "http://127.0.0.1:0" } } },
        Serilog = new { MinimumLevel = new { Override = new Dictionary<string, string> { ["Perch.Connections"] = "Warning" } } },
    });

    private static async Task<int> PortIn(string line)
    {
        if (line.StartsWith("port ", StringComparison.Ordinal)) return int.Parse(line["port ".Length..]);
        const string AdminLabel = "Now listening on: ";
        if (line.IndexOf(AdminLabel, StringComparison.Ordinal) is var at && at < 0) return 0;
        using var client = new HttpClient();
        var endpoints = await client.GetFromJsonAsync<JsonElement>(new Uri($"{line[(at + AdminLabel.Length)..].Trim()}/endpoints"));
        return endpoints[0].GetProperty("port").GetInt32();
    }
}

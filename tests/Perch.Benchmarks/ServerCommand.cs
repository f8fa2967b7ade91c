using System.ComponentModel;
using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>How each server is started. All but Perch print <c>port N</c> once they listen.</summary>
internal static class ServerCommand
{
    public static readonly string[] Names =
    [
        "c", "go", "py-generators", "py-uvloop", "bare", "tuned", "bare-64k", "bare-discard", "bare-discard-64k",
        "perch", "perch-direct", "perch-direct-raw", "perch-conversation", "perch-raw", "perch-blocking", "perch-discard",
        "perch-record", "perch-files", "perch-flood", "perch-udp", "c-udp", "go-udp", "plain-udp",
        Before, BeforeRecord, DirectRecord,
    ];

    /// <summary>The server of an earlier build, with the settings of <c>perch-direct</c>.</summary>
    public const string Before = "before";

    /// <summary>The server of an earlier build, with the settings of <see cref="DirectRecord"/>.</summary>
    public const string BeforeRecord = "before-record";

    /// <summary>The record endpoint over the direct transport.</summary>
    public const string DirectRecord = "perch-direct-record";

    /// <summary>The environment variable that names the folder of the earlier build's perch-server.dll.</summary>
    public const string BeforeVariable = "PERCH_BEFORE";

    /// <summary>Those that echo over TCP: the baseline first.</summary>
    public static readonly string[] Transport = ["c", "go", "py-generators", "py-uvloop", "bare", "tuned", "perch", "perch-direct"];

    /// <summary>What <c>select</c> takes is 1,024 descriptors; some are not connections.</summary>
    private const int MostOfSelect = 1000;

    public static bool IsPerch(string name) => name.StartsWith("perch", StringComparison.Ordinal) || IsBefore(name);

    public static bool IsBefore(string name) => name is Before or BeforeRecord;

    /// <summary>Why the server cannot take part; null where it can.</summary>
    public static async Task<string?> WhyNotAsync(string name, BenchCase load) => name switch
    {
        "py-generators" when load.Connections + load.Firehoses > MostOfSelect => "select takes at most 1,024 descriptors",
        _ when IsBefore(name) && BuildFolder(name) is null => $"{BeforeVariable} does not name the folder of an earlier build",
        "go" or "go-udp" when !await RunsAsync("go", "version") => "Go is not installed (Debian: golang-go)",
        "py-generators" when await PythonAsync("select") is null => "Python is not installed (Debian: python3)",
        "py-uvloop" when await PythonAsync("uvloop") is null => "uvloop is not installed (Debian: python3-uvloop)",
        _ => null,
    };

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="folder">For what is compiled, and the content root of Perch.</param>
    /// <param name="pinned">Whether it is held to processor 0, on Linux.</param>
    public static async Task<ProcessStartInfo> CreateAsync(string name, DirectoryInfo folder, bool pinned)
    {
        string[] command = name switch
        {
            "c" => [await CompiledProgram.CompileAsync(name, ["servers/tcp-echo.c"], folder)],
            "go" => [await CompiledProgram.CompileAsync(name, ["servers/tcp-echo.go"], folder)],
            "py-generators" => [(await PythonAsync("select"))!, InServers("generators.py")],
            "py-uvloop" => [(await PythonAsync("uvloop"))!, InServers("uvloop_echo.py")],
            "c-udp" => [await CompiledProgram.CompileAsync(name, ["servers/udp-echo.c"], folder)],
            "go-udp" => [await CompiledProgram.CompileAsync(name, ["servers/udp-echo.go"], folder)],
            _ when IsPerch(name) => ["dotnet", Path.Combine(BuildFolder(name)!, "perch-server.dll"), "--contentRoot", folder.FullName],
            _ => ["dotnet", Path.Combine(AppContext.BaseDirectory, "Perch.Benchmarks.dll"), "serve", name],
        };
        // What others do in several processes is not held to one processor here.
        if (OperatingSystem.IsLinux() && pinned && name != "perch-files") command = ["taskset", "-c", "0", .. command];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, UseShellExecute = false };
        if (name == "tuned") start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        return start;
    }

    private static string? BuildFolder(string name) => IsBefore(name) ? Environment.GetEnvironmentVariable(BeforeVariable) : AppContext.BaseDirectory;

    private static string InServers(string script) => Path.Combine(AppContext.BaseDirectory, "servers", script);

    /// <summary>A Python that has the module: the first of the path, or the system's, whose packages are Debian's.</summary>
    private static async Task<string?> PythonAsync(string module)
    {
        foreach (var python in (string[])["python3", "/usr/bin/python3"])
        {
            if (await RunsAsync(python, "-c", $"import {module}")) return python;
        }

        return null;
    }

    private static async Task<bool> RunsAsync(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            await process.WaitForExitAsync();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}

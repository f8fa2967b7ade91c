using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Perch.FunctionalTests.Hosting;

/// <summary>The executable, as an operator starts it.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    public const int Sighup = 1;
    public const int Sigint = 2;
    public const int Sigquit = 3;
    public const int Sigkill = 9;
    public const int Sigterm = 15;
    public const int Sigcont = 18;
    public const int Sigstop = 19;

    private readonly Process _process;
    private readonly TaskCompletionSource<string> _admin = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private AdminClient? _client;

    private ServerProcess(string executable, string root, string[] arguments)
    {
        _process = new()
        {
            StartInfo = new(executable, arguments) { WorkingDirectory = root, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true },
            EnableRaisingEvents = true,
        };
        _process.OutputDataReceived += (_, line) => OnOutput(line.Data);
        _process.ErrorDataReceived += (_, line) => Add(_errors, line.Data);
        _process.Exited += (_, _) => _admin.TrySetException(new InvalidOperationException("The server ended before its admin endpoint listened."));
    }

    /// <summary>The build's own output, beside the test assembly.</summary>
    public static string Executable { get; } = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "perch-server.exe" : "perch-server");

    public int Id => _process.Id;

    public AdminClient Admin => _client ?? throw new InvalidOperationException("The server was not awaited.");

    public string Output => Text(_output);

    public string Errors => Text(_errors);

    public bool HasExited => _process.HasExited;

    /// <summary>Starts it and waits until it serves: the admin endpoint is bound after all others.</summary>
    public static Task<ServerProcess> StartAsync(ServerFolder folder, params string[] arguments) =>
        StartAsync(Launch(folder.Root, arguments));

    /// <summary>Starts it with additional environment variables, and waits until it serves.</summary>
    public static Task<ServerProcess> StartAsync(ServerFolder folder, IReadOnlyDictionary<string, string> environment) =>
        StartAsync(Launch(folder.Root, [], environment: environment));

    /// <summary>Starts it with a limit of open files, and waits until it serves.</summary>
    public static Task<ServerProcess> StartWithLimitAsync(ServerFolder folder, int openFiles, params string[] arguments) =>
        StartAsync(LaunchWithLimit(folder, openFiles, arguments));

    /// <summary>Starts it with a limit of open files, and does not wait.</summary>
    public static ServerProcess LaunchWithLimit(ServerFolder folder, int openFiles, params string[] arguments) => Launch(
        folder.Root, ["-c", string.Create(CultureInfo.InvariantCulture, $"ulimit -n {openFiles}; exec \"$0\" \"$@\""), Executable, .. arguments], "/bin/sh");

    private static async Task<ServerProcess> StartAsync(ServerProcess server)
    {
        try
        {
            server._client = new(await server._admin.Task.WaitAsync(Poll.Deadline));
            return server;
        }
        catch (Exception exception)
        {
            await server.DisposeAsync();
            throw new InvalidOperationException($"The server did not start.\n{server.Output}\n{server.Errors}", exception);
        }
    }

    /// <summary>Starts it and does not wait.</summary>
    public static ServerProcess Launch(
        string root, string[] arguments, string? executable = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var server = new ServerProcess(executable ?? Executable, root, arguments);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            server._process.StartInfo.Environment[name] = value;
        server._process.Start();
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        return server;
    }

    /// <summary>Starts it and waits until it has ended.</summary>
    public static async Task<Ended> RunAsync(string root, params string[] arguments)
    {
        await using var server = Launch(root, arguments);
        return await server.WaitForExitAsync();
    }

    /// <inheritdoc cref="RunAsync(string, string[])"/>
    public static Task<Ended> RunAsync(ServerFolder folder, params string[] arguments) => RunAsync(folder.Root, arguments);

    public async Task<Client> ConnectAsync(string endpoint) => await Client.ConnectAsync(await Admin.GetPortAsync(endpoint));

    public void Signal(int signal) => Signal(Id, signal);

    public static void Signal(int process, int signal) => Assert.True(TrySignal(process, signal));

    /// <returns>False where there is no such process any more.</returns>
    public static bool TrySignal(int process, int signal) => Kill(process, signal) == 0;

    public async Task<Ended> WaitForExitAsync()
    {
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        return new(_process.ExitCode, Output, Errors);
    }

    public int OpenDescriptors() => Directory.GetFileSystemEntries($"/proc/{Id}/fd").Length;

    public int Threads() => Directory.GetDirectories($"/proc/{Id}/task").Length;

    public long WorkingSet()
    {
        _process.Refresh();
        return _process.WorkingSet64;
    }

    /// <summary>The most that was ever resident.</summary>
    public long PeakWorkingSet()
    {
        _process.Refresh();
        return _process.PeakWorkingSet64;
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        if (!_process.HasExited) _process.Kill();
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _process.WaitForExitAsync(limit.Token);
        _process.Dispose();
    }

    private static string Text(List<string> lines)
    {
        lock (lines) return string.Join('\n', lines);
    }

    private static void Add(List<string> lines, string? line)
    {
        if (line is null) return;
        lock (lines) lines.Add(line);
    }

    private void OnOutput(string? line)
    {
        Add(_output, line);
        if (line is not null && AdminAddress().Match(line) is { Success: true } match) _admin.TrySetResult(match.Groups["url"].Value);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [GeneratedRegex(@"Now listening on: (?<url>\S+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AdminAddress();
}

/// <summary>A process that has ended.</summary>
internal sealed record Ended(int ExitCode, string Output, string Errors);

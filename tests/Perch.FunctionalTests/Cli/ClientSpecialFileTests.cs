using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Cli;

/// <summary>FIFOs, sockets, devices, dangling links and names that are not UTF-8: reported with their cause, and never waited for.</summary>
public sealed class ClientSpecialFileTests
{
    private static readonly string[] Expected =
    [
        "bad\uFFFDname: its name is not UTF-8.",
        "circle: Too many levels of symbolic links.",
        "dangling: a link to nowhere, which does not exist.",
        "device: not a regular file: it is a device.",
        "pipe: not a regular file: it is a FIFO.",
        "socket: not a regular file: it is a socket.",
        "sub/pipe: not a regular file: it is a FIFO.",
    ];

    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("files", """{ "Port": 0, "Protocol": "files" }""")
        .With("tftp", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true } }""")
        .With("echo", """{ "Port": 0, "Protocol": "echo", "Options": { "Prefix": "" } }""");

    [Theory]
    [InlineData("files", "files")]
    [InlineData("tftp", "tftp")]
    public async Task Put_FolderWithSpecialFiles_ReportsThemAndSendsTheRest(string endpoint, string scheme)
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var host = await PerchHost.StartAsync(Settings);
        using var work = new ServerFolder();
        await using var special = await SpecialFolder.CreateAsync(work.Root);

        var run = await PerchClient.RunAsync(work.Root, "", "put", $"{scheme}://127.0.0.1:{await host.Admin.GetPortAsync(endpoint)}/", "folder", "--json");

        Assert.Equal(8, run.ExitCode);
        var faults = run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split("/folder/", 2)[1]);
        Assert.Equal(Expected, faults.Order(StringComparer.Ordinal));
        Assert.Equal(["folder/a", "folder/sub/b"], (await StoredAsync(host)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("put", "{0}/", "folder/pipe", "folder/pipe: not a regular file: it is a FIFO.")]
    [InlineData("put", "{0}/", "folder/dangling", "folder/dangling: a link to nowhere, which does not exist.")]
    [InlineData("put", "{0}/", "nothing", "nothing: there is no such file or folder.")]
    [InlineData("get", "{0}/here", "folder/pipe", "folder/pipe: not a regular file: it is a FIFO.")]
    [InlineData("get", "{0}/empty", "folder/pipe", "folder/pipe: not a regular file: it is a FIFO.")]
    [InlineData("get", "{0}/here", "folder/device", "folder/device: not a regular file: it is a device.")]
    [InlineData("record", "record://127.0.0.1:1", "--state", "folder/pipe: not a regular file: it is a FIFO.", "folder/pipe")]
    [InlineData("check", "folder/pipe", "--json", "folder/pipe: not a regular file: it is a FIFO.")]
    public async Task Command_OfASpecialFile_ReportsTheCause(string command, string target, string argument, string cause, string? value = null)
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var host = await PerchHost.StartAsync(Settings);
        using var work = new ServerFolder();
        await using var special = await SpecialFolder.CreateAsync(work.Root);
        var files = $"files://127.0.0.1:{await host.Admin.GetPortAsync("files")}";
        await File.WriteAllTextAsync(Path.Combine(work.Root, "here"), "content");
        await File.WriteAllTextAsync(Path.Combine(work.Root, "empty"), "");
        await PerchClient.SucceedAsync(work.Root, "put", files + "/", "here", "empty");

        string[] arguments = [command, target.Replace("{0}", files, StringComparison.Ordinal), argument, .. value is null ? Array.Empty<string>() : [value]];
        var run = await PerchClient.RunAsync(work.Root, "", arguments);

        Assert.Equal(8, run.ExitCode);
        var faults = run.Errors.Split('\n').Where(line => line.StartsWith("perch: ", StringComparison.Ordinal));
        Assert.EndsWith(cause, Assert.Single(faults), StringComparison.Ordinal);
        // The FIFO is one still.
        Assert.Equal("pipe", await ShellAsync(work.Root, "test -p folder/pipe && printf pipe"));
    }

    [Fact]
    public async Task Send_OfAFifo_SendsWhatItsWriterWrites()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var host = await PerchHost.StartAsync(Settings);
        using var work = new ServerFolder();
        await ShellAsync(work.Root, "mkfifo pipe");
        var writing = ShellAsync(work.Root, "printf 'through the pipe' > pipe");
        var url = $"TCP://127.0.0.1:{await host.Admin.GetPortAsync("echo")}";
        Assert.Equal("through the pipe", await PerchClient.SucceedAsync(work.Root, "send", url, "@pipe"));
        await writing;
    }

    [Fact]
    public async Task Send_OfAFifoWithoutAWriter_EndsWithTheFirstSignal()
    {
        if (OperatingSystem.IsWindows())
            return;
        await using var host = await PerchHost.StartAsync(Settings);
        using var work = new ServerFolder();
        await ShellAsync(work.Root, "mkfifo pipe");
        await using var client = PerchClient.Start(work.Root, "send", $"127.0.0.1:{await host.Admin.GetPortAsync("echo")}", "@pipe");
        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 1, () => "the client is connected");
        client.Signal(ServerProcess.Sigint);
        Assert.Equal(128 + ServerProcess.Sigint, (await client.EndAsync()).ExitCode);
    }

    private static async Task<string> ShellAsync(string folder, string script)
    {
        var start = new ProcessStartInfo("sh", ["-c", script]) { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true };
        using var shell = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Poll.Deadline);
        var output = await shell.StandardOutput.ReadToEndAsync(limit.Token);
        await shell.WaitForExitAsync(limit.Token);
        Assert.Equal(0, shell.ExitCode);
        return output;
    }

    private static async Task<IEnumerable<string>> StoredAsync(PerchHost host)
    {
        var (_, body) = await host.Admin.GetAsync("/files");
        return body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!["name"]!.GetValue<string>());
    }

    /// <summary>A folder with a file of each type. .NET cannot delete a name that is not UTF-8.</summary>
    private sealed class SpecialFolder(string root, Socket socket) : IAsyncDisposable
    {
        public static async Task<SpecialFolder> CreateAsync(string root)
        {
            await ShellAsync(root, """
                mkdir -p folder/sub && cd folder && mkfifo pipe sub/pipe && printf a > a && printf b > sub/b
                printf x > "$(printf 'bad\377name')"; ln -s nowhere dangling; ln -s circle circle; ln -s /dev/zero device
                """);
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(root, "folder", "socket")));
            return new(root, socket);
        }

        public async ValueTask DisposeAsync()
        {
            socket.Dispose();
            await ShellAsync(root, "rm -rf folder");
        }
    }
}

using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Logging;

/// <summary>A sink that fails says so on standard error and in a metric.</summary>
public sealed class SinkFailureTests
{
    [Fact]
    public async Task Sink_DiskIsFull_IsOnStandardErrorAndCounted()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        // A file that can be opened and never written (full(4)).
        await using var server = await ServerProcess.StartAsync(
            folder, "--Serilog:WriteTo:0:Name=File", "--Serilog:WriteTo:0:Args:path=/dev/full");

        await Poll.UntilAsync(() => server.Errors.Contains("perch-server: the log failed: ", StringComparison.Ordinal),
            () => server.Errors);
        Assert.Contains("No space left on device", server.Errors, StringComparison.Ordinal);
        Assert.True((await server.Admin.GetMetricsAsync()).Sum("perch_log_failures_total") > 0);
        using var client = await server.ConnectAsync("echo");
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
    }

    [Fact]
    public async Task Sink_FolderThatDoesNotExist_IsCreatedAndWritten()
    {
        using var folder = new ServerFolder(new ServerSettings());
        string[] arguments =
        [
            "--Serilog:WriteTo:0:Name=File", "--Serilog:WriteTo:0:Args:path=logs/perch-.log",
                "--Serilog:WriteTo:0:Args:rollingInterval=Day",
        ];
        Assert.Equal(0, (await ServerProcess.RunAsync(folder, ["--check", .. arguments])).ExitCode);
        Assert.Equal([folder.File], Directory.EnumerateFileSystemEntries(folder.Root));

        await using var server = await ServerProcess.StartAsync(folder, arguments);
        var logs = Path.Combine(folder.Root, "logs");
        await Poll.UntilAsync(
            () => Directory.Exists(logs) && Directory.EnumerateFiles(logs, "perch-*.log").Any(),
            () => "the file of the documented path is there");
    }
}

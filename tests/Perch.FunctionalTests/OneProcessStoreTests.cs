using System.Net;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>A SQLite file and a disk folder belong to one process.</summary>
public sealed class OneProcessStoreTests
{
    [Fact]
    public async Task Start_StoresOfARunningProcess_IsNotReadyUntilThatIsKilled()
    {
        using var folder = new ServerFolder(new ServerSettings()
            .With("record", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""")
            .With("files", """{ "Port": 0, "Protocol": "files" }"""));
        await using var first = await ServerProcess.StartAsync(folder);
        await StoreAsync(first, "OK 1\n");
        await Poll.UntilAsync(async () => await IsReadyAsync(first), () => "the first has both stores");

        await using var second = await ServerProcess.StartAsync(folder);
        await Poll.UntilAsync(
            async () => await ProblemAsync(second, "records") is not null && await ProblemAsync(second, "files") is not null,
            () => second.Output);

        var (records, files) = (await ProblemAsync(second, "records"), await ProblemAsync(second, "files"));
        Assert.StartsWith($"{folder.Root}/data/records.db is in use by another Perch process", records, StringComparison.Ordinal);
        Assert.Contains("another Perch:Records:Path", records, StringComparison.Ordinal);
        Assert.StartsWith($"{folder.Root}/data/files is in use by another Perch process", files, StringComparison.Ordinal);
        Assert.Contains("another Perch:Files:Path", files, StringComparison.Ordinal);
        await StoreAsync(first, "OK 2\n");

        var verified = await ServerProcess.RunAsync(folder, "--verify-files");
        Assert.Equal((0, "0 entries, 0 faults."), (verified.ExitCode, verified.Output));

        first.Signal(ServerProcess.Sigkill);
        await first.WaitForExitAsync();
        await Poll.UntilAsync(async () => await IsReadyAsync(second), () => second.Output);
        await StoreAsync(second, "OK 3\n");
    }

    private static async Task<bool> IsReadyAsync(ServerProcess server) => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.OK;

    private static async Task StoreAsync(ServerProcess server, string answer)
    {
        using var client = await server.ConnectAsync("record");
        Assert.Equal(answer, await client.AskAsync("line\n", answer.Length));
    }

    /// <returns>The text of a check that is red; null if the check is green.</returns>
    private static async Task<string?> ProblemAsync(ServerProcess server, string check)
    {
        var node = (await server.Admin.GetReadyAsync()).Body["checks"]![check]!;
        return node["status"]!.GetValue<string>() == "Healthy" ? null : node["description"]!.GetValue<string>();
    }
}

using System.Globalization;
using System.Net;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Files;

/// <summary>The disk does not take what was written: <c>fsync</c> and <c>fdatasync</c> fail, as strace has them do.</summary>
public sealed class FileSyncErrorTests
{
    [NeighbourFact("strace", Capability.SysPtrace)]
    public async Task Put_SyncFails_NothingIsStoredOrResumedUntilItEnds()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", """{ "Port": 0, "Protocol": "files" }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("files");
        using var client = FileClient.Connect(port);
        Assert.StartsWith("OK 3 ", await PutAsync(client, "before"), StringComparison.Ordinal);
        await using (var strace = Inject(server))
        {
            // It takes a while until every thread is traced: until then a part of what is synced goes well.
            var tries = 0;
            await Poll.UntilAsync(
                async () => (await PutAsync(client, $"whole{++tries}")).StartsWith("ERR unavailable ", StringComparison.Ordinal)
                    && (await client.AskAsync($"STAT whole{tries}")).StartsWith("ERR not-found ", StringComparison.Ordinal),
                () => "the disk fails, and nothing is there");
            using (var cut = FileClient.Connect(port)) await cut.SendAsync("PUT half 1000\nabc");

            await UntilAsync(client, "half", "ERR not-found ");
            Assert.StartsWith("OK 3 ", await client.AskAsync("STAT before"), StringComparison.Ordinal);
            await strace.EndAsync(ServerProcess.Sigint);
        }

        await Poll.UntilAsync(async () => (await PutAsync(client, "whole")).StartsWith("OK 3 ", StringComparison.Ordinal), () => "files are stored again", TimeSpan.FromSeconds(5));
        using (var cut = FileClient.Connect(port)) await cut.SendAsync("PUT half 1000\nabc");
        await UntilAsync(client, "half", "OK partial=3");
    }

    [NeighbourFact("strace", Capability.SysPtrace)]
    public async Task Put_SyncHangs_IsToldInTimeAndOthersGoOn()
    {
        var settings = new ServerSettings { Log = "Warning", Files = """{ "DiskTimeout": "00:00:02" }""" };
        using var folder = new ServerFolder(settings.With("files", """{ "Port": 0, "Protocol": "files" }""").With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        var port = await server.Admin.GetPortAsync("files");
        using var client = FileClient.Connect(port);
        Assert.StartsWith("OK 3 ", await PutAsync(client, "before"), StringComparison.Ordinal);
        await using (var strace = Inject(server, "delay_enter=60000000"))
        {
            var tries = 0;
            await Poll.UntilAsync(
                async () => (await PutAsync(client, $"hung{++tries}")).StartsWith("ERR unavailable ", StringComparison.Ordinal),
                () => "the disk hangs, and its peer is told");
            await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable, () => "readiness shows it", TimeSpan.FromSeconds(30));
            using var echo = FileClient.Connect(await server.Admin.GetPortAsync("echo"));
            Assert.EndsWith("ping", await echo.AskAsync("ping"), StringComparison.Ordinal);
            Assert.StartsWith("OK 3 ", await client.AskAsync("STAT before"), StringComparison.Ordinal);
            await strace.EndAsync(ServerProcess.Sigint);
        }

        await Poll.UntilAsync(async () => (await PutAsync(client, "whole")).StartsWith("OK 3 ", StringComparison.Ordinal), () => "files are stored again", TimeSpan.FromSeconds(30));
        await Poll.UntilAsync(async () => (await server.Admin.GetReadyAsync()).Status == HttpStatusCode.OK, () => "readiness is back", TimeSpan.FromSeconds(30));
    }

    private static async Task<string> PutAsync(FileClient client, string name)
    {
        await client.SendAsync($"PUT {name} 3\nabc");
        return await client.ReadLineAsync();
    }

    private static async Task UntilAsync(FileClient client, string name, string answer)
    {
        var last = "";
        await Poll.UntilAsync(async () => (last = await client.AskAsync($"STAT {name}")).StartsWith(answer, StringComparison.Ordinal), () => $"STAT {name} answers {answer}: {last}");
    }

    private static Neighbour Inject(ServerProcess server, string fault = "error=EIO") => Neighbour.Start(
        "strace",
        ["-f", "-qq", "-o", "/dev/null", "-p", server.Id.ToString(CultureInfo.InvariantCulture), "-e", "trace=fsync,fdatasync", "-e", $"inject=fsync,fdatasync:{fault}"]);
}

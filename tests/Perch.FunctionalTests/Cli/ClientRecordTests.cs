using System.Globalization;
using System.Text;
using Perch.FunctionalTests.Hosting;
using Perch.FunctionalTests.Record;

namespace Perch.FunctionalTests.Cli;

/// <summary><c>perch record</c>, <c>records</c>, <c>status</c>, <c>check</c> and the real server.</summary>
public sealed class ClientRecordTests
{
    private static ServerSettings Settings(int port = 0) => new ServerSettings { Log = "Warning" }.With("lines",
        $$"""{ "Port": {{port}}, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": true } }""");

    [Fact]
    public async Task Record_WhileTheServerIsKilled_StoresEachLineOnce()
    {
        using var folder = new ServerFolder(Settings(FreePort.Find()));
        using var work = new ServerFolder();
        var random = new Random(6);
        var server = await ServerProcess.StartAsync(folder);
        var sent = 0;
        try
        {
            await using var client = PerchClient.Start(work.Root, "record", $"record://127.0.0.1:{await server.Admin.GetPortAsync("lines")}");
            // Only a connection that has been there is opened again.
            await WriteAsync(client.Input, sent, ++sent);
            await Poll.UntilAsync(async () => (await server.Admin.GetMetricsAsync()).Sum("perch_records_stored_total") > 0, () => "the first line is stored");
            for (var kill = 0; kill < KillTests.Kills; kill++)
            {
                var until = sent + random.Next(200, 3000);
                var writing = WriteAsync(client.Input, sent, until);
                sent = until;
                // The moment is what is random here, not a wait for something.
                await Task.Delay(random.Next(5, 150));
                server.Signal(ServerProcess.Sigkill);
                await server.WaitForExitAsync();
                await server.DisposeAsync();
                server = await ServerProcess.StartAsync(folder);
                await writing.WaitAsync(Poll.Deadline);
            }

            var ended = await client.EndAsync();
            Assert.True(ended.ExitCode == 0, ended.Errors);
            Assert.Contains($"{sent} lines stored.", ended.Errors, StringComparison.Ordinal);
            server.Signal(ServerProcess.Sigterm);
            await server.WaitForExitAsync();
        }
        finally
        {
            await server.DisposeAsync();
        }

        var rows = DatabaseFile.Query(Path.Combine(folder.Root, "data", "records.db"), "SELECT data FROM logs ORDER BY id");
        Assert.Equal(Enumerable.Range(0, sent).Select(number => $"line {number}"), rows);
    }

    [Fact]
    public async Task Record_WhileTheClientIsKilled_LosesNoLineThatItHadRead()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        using var work = new ServerFolder();
        var url = $"record://127.0.0.1:{await host.Admin.GetPortAsync("lines")}";
        var random = new Random(7);
        var sent = 0;
        for (var kill = 0; kill < 5; kill++)
        {
            await using var client = PerchClient.Start(work.Root, "record", url);
            // What the pipe takes and nobody has read dies with the client: so it is the first lines of each run that count.
            await WriteAsync(client.Input, sent, sent + 500);
            await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_records_stored_total") > sent, () => "the first lines are stored");
            await Task.Delay(random.Next(0, 20));
            client.Signal(ServerProcess.Sigkill);
            await client.EndAsync();
            sent += 500;
        }

        Assert.Equal(0, (await PerchClient.RunAsync(work.Root, "the end\n", "record", url)).ExitCode);
        var numbers = (await RecordReader.AllAsync(host.Admin)).Select(record => record["data"]!.GetValue<string>()).ToList();
        Assert.Equal(numbers.Count, numbers.Distinct().Count());
        Assert.Equal("the end", numbers[^1]);
        // Of each run the lines that were read are a beginning of it, without a gap.
        Assert.All(numbers.SkipLast(1).Select(line => int.Parse(line["line ".Length..], CultureInfo.InvariantCulture)).GroupBy(number => number / 500), run => Assert.Equal(Enumerable.Range(run.Key * 500, run.Count()), run));
    }

    [Fact]
    public async Task Records_ReadBackAndFollowed_AreTheLines()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        using var work = new ServerFolder();
        var url = $"record://127.0.0.1:{await host.Admin.GetPortAsync("lines")}";
        await using var follower = PerchClient.Start(work.Root, "records", host.Admin.Url, "--follow", "--after", "0", "--json");
        Assert.Equal(0, (await PerchClient.RunAsync(work.Root, "one\nzwei ü\n\u001b[31mred\n", "record", url)).ExitCode);

        var records = (await PerchClient.SucceedAsync(work.Root, "records", host.Admin.Url)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["one", "zwei ü", "\\x1B[31mred"], records.Select(line => line.Split("  ")[^1]));
        Assert.Single((await PerchClient.SucceedAsync(work.Root, "records", host.Admin.Url, "--contains", "zwei ü")).Split('\n', StringSplitOptions.RemoveEmptyEntries));

        await Poll.UntilAsync(() => follower.Seen.Contains("red", StringComparison.Ordinal), () => $"the follower has them: {follower.Seen}");
        follower.Signal(ServerProcess.Sigint);
        var ended = await follower.EndAsync();
        Assert.Equal(128 + ServerProcess.Sigint, ended.ExitCode);
        Assert.Equal(3, ended.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    /// <summary>The follower stands still while the server restarts and the record arrives, so that it comes back after both.</summary>
    [Fact]
    public async Task Records_FollowedWithoutARecordOverARestart_MissNoRecord()
    {
        var settings = Settings();
        settings.AdminUrl = $"http://127.0.0.1:{FreePort.Find()}";
        using var folder = new ServerFolder(settings);
        using var work = new ServerFolder();
        var before = await ServerProcess.StartAsync(folder);
        await using var follower = PerchClient.Start(work.Root, "records", settings.AdminUrl, "--follow");
        await Poll.UntilAsync(async () => (await before.Admin.GetMetricsAsync()).Sum("perch_record_streams") == 1, () => "the stream has sent its position");
        before.Signal(ServerProcess.Sigterm);
        await before.WaitForExitAsync();
        await before.DisposeAsync();
        follower.Signal(ServerProcess.Sigstop);

        await using var after = await ServerProcess.StartAsync(folder);
        var url = $"record://127.0.0.1:{await after.Admin.GetPortAsync("lines")}";
        Assert.Equal(0, (await PerchClient.RunAsync(work.Root, "the first record\n", "record", url)).ExitCode);
        follower.Signal(ServerProcess.Sigcont);
        await Poll.UntilAsync(() => follower.Seen.Contains("the first record", StringComparison.Ordinal), () => $"the follower has it: {follower.Seen}");
    }

    [Fact]
    public async Task Records_LastAndFollowed_BeginsWithTheNewest()
    {
        await using var host = await PerchHost.StartAsync(Settings());
        using var work = new ServerFolder();
        var url = $"record://127.0.0.1:{await host.Admin.GetPortAsync("lines")}";
        Assert.Equal(0, (await PerchClient.RunAsync(work.Root, "one\ntwo\nthree\n", "record", url)).ExitCode);
        Assert.Equal(["two", "three"], Texts(await PerchClient.SucceedAsync(work.Root, "records", host.Admin.Url, "--last", "2")));
        Assert.Equal(["one", "two", "three"], Texts(await PerchClient.SucceedAsync(work.Root, "records", host.Admin.Url, "--since", "1h")));

        await using var follower = PerchClient.Start(work.Root, "records", host.Admin.Url, "--follow", "--last", "2", "--contains", "t");
        await Poll.UntilAsync(() => follower.Seen.Contains("three", StringComparison.Ordinal), () => $"the follower has the newest: {follower.Seen}");
        Assert.Equal(0, (await PerchClient.RunAsync(work.Root, "eleven\ntwelve\n", "record", url)).ExitCode);
        await Poll.UntilAsync(() => follower.Seen.Contains("twelve", StringComparison.Ordinal), () => $"the follower has it: {follower.Seen}");
        Assert.Equal(["two", "three", "twelve"], Texts(follower.Seen));

        static IEnumerable<string> Texts(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split("  ")[^1]);
    }

    [Fact]
    public async Task Status_OfAServer_ShowsEndpointsAndOutcomes()
    {
        await using var host = await PerchHost.StartAsync(Settings().With("hello", """{ "Port": 0, "Protocol": "hello" }"""));
        using var work = new ServerFolder();
        var session = await PerchClient.RunAsync(work.Root, "Zack\nquit\n", "connect", $"hello://127.0.0.1:{await host.Admin.GetPortAsync("hello")}");
        Assert.Equal((0, "-"), (session.ExitCode, session.Output));
        await Poll.UntilAsync(async () => (await host.Admin.GetRecentAsync()).Count == 1, () => "the session is over");

        var status = (await PerchClient.SucceedAsync(work.Root, "status", host.Admin.Url)).Split('\n');
        Assert.EndsWith("Healthy", status[0].TrimEnd(), StringComparison.Ordinal);
        var hello = Assert.Single(status, line => line.StartsWith("hello", StringComparison.Ordinal));
        Assert.Contains("Listening", hello, StringComparison.Ordinal);
        Assert.Contains("Completed 1", hello, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StatusWatch_BeforeDuringAndAfterARestart_WaitsForTheServer()
    {
        var settings = Settings();
        settings.AdminUrl = $"http://127.0.0.1:{FreePort.Find()}";
        using var folder = new ServerFolder(settings);
        using var work = new ServerFolder();
        await using var watcher = PerchClient.Start(work.Root, "status", settings.AdminUrl, "--watch", "--every", "50ms");
        for (var run = 0; run < 2; run++)
        {
            await Poll.UntilAsync(() => Count(watcher.SeenErrors, "Waiting for the server.") == run + 1, () => $"it waits: {watcher.SeenErrors}");
            await using var server = await ServerProcess.StartAsync(folder);
            var before = Count(watcher.Seen, "Healthy");
            await Poll.UntilAsync(() => Count(watcher.Seen, "Healthy") > before, () => $"it shows the server: {watcher.Seen}");
            server.Signal(ServerProcess.Sigkill);
            await server.WaitForExitAsync();
        }

        watcher.Signal(ServerProcess.Sigint);
        Assert.Equal(128 + ServerProcess.Sigint, (await watcher.EndAsync()).ExitCode);
        Assert.Matches(@"http://127\.0\.0\.1:\d+/  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  Healthy", watcher.Seen);

        static int Count(string text, string part) => text.Split(part).Length - 1;
    }

    [Theory]
    [InlineData("appsettings.json")]
    [InlineData("other.json")]
    public async Task Check_OfAFile_IsTheServersVerdict(string name)
    {
        using var work = new ServerFolder();
        var file = Path.Combine(work.Root, name);
        await File.WriteAllTextAsync(file, Settings().ToString());
        var good = await PerchClient.RunAsync(work.Root, "", "check", file);
        Assert.Equal((0, "The configuration is valid: 1 endpoints."), (good.ExitCode, good.Output.TrimEnd().Split('\n')[^1]));

        await File.WriteAllTextAsync(file, Settings().With("bad", """{ "Port": 0, "Protocol": "dance" }""").ToString());
        var bad = await PerchClient.RunAsync(work.Root, "", "check", file);
        Assert.Equal(2, bad.ExitCode);
        Assert.Contains("dance", bad.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(file));
    }

    private static async Task WriteAsync(Stream input, int from, int to)
    {
        var lines = new StringBuilder();
        for (var number = from; number < to; number++) lines.Append(CultureInfo.InvariantCulture, $"line {number}\n");
        await input.WriteAsync(Encoding.ASCII.GetBytes(lines.ToString()));
        await input.FlushAsync();
    }
}

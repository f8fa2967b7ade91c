using System.Text;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Admin;

/// <summary>Admin endpoints that answer what they should not.</summary>
public sealed class AdminTests
{
    [Theory]
    [InlineData("200 OK", "<html>", "does not answer as Perch's admin endpoint does")]
    [InlineData("200 OK", "{}", "does not answer as Perch's admin endpoint does")]
    [InlineData("401 Unauthorized", "{\"title\":\"Beyond this machine a key is needed.\",\"detail\":\"\\u001b[2JSend the key\"}", "401 Beyond this machine a key is needed. \\x1B[2JSend the key")]
    [InlineData("302 Found", "", "refuses: 302")]
    public async Task Status_OfAnotherServer_IsRefused(string status, string body, string told)
    {
        await using var peer = Http(status, body);
        (await CliRun.RunAsync("status", $"http://{peer.Address}")).AssertFailed(ExitCode.Refused, told);
    }

    [Theory]
    [InlineData("", "Set PERCH_API_KEY, or --api-key, to the server's Admin:ApiKey.")]
    [InlineData("wrong", "The key of --api-key or PERCH_API_KEY is not this server's Admin:ApiKey.")]
    public async Task Status_WithoutTheServersKey_NamesTheVariable(string key, string told)
    {
        await using var peer = Http("401 Unauthorized", "{}");
        (await CliRun.RunAsync(["status", $"http://{peer.Address}", "--api-key", key])).AssertFailed(ExitCode.Refused, told);
    }

    [Fact]
    public async Task Status_OfAServerThatIsNoHttp_IsRefused()
    {
        await using var peer = Peer.Echo();
        (await CliRun.RunAsync("status", $"http://{peer.Address}")).AssertFailed(ExitCode.Refused, "does not answer as Perch's admin endpoint does");
    }

    [Fact]
    public async Task Status_WithoutAServer_IsUnreachable()
    {
        string address;
        await using (var peer = Peer.Echo()) address = peer.Address;
        (await CliRun.RunAsync("status", address)).AssertFailed(ExitCode.Unreachable, "nothing listens there");
    }

    [Fact]
    public async Task Records_WithEscapeSequences_AreShownEscaped()
    {
        await using var peer = Http("200 OK", "{\"id\":5,\"receivedAt\":\"2026-11-20T20:09:58.5+00:00\",\"endpoint\":\"e\",\"remote\":\"r\",\"data\":\"a\\u001b[2Jb\\n\",\"exact\":true}\n");
        var run = await CliRun.RunAsync("records", $"http://{peer.Address}");
        Assert.Equal((0, "5  2026-11-20 20:09:58.500000Z  e  r  a\\x1B[2Jb\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task Records_AsJsonOnATerminal_EscapeOnlyWhatIsInvisible()
    {
        const string Before = "{\"id\":5,\"receivedAt\":\"2026-11-20T20:09:58.5+00:00\",\"endpoint\":\"e\",\"remote\":\"r\",\"data\":\"";
        await using var peer = Http("200 OK", Before + "日本語 ü + 😀 \\u65e5 \\u001b[2J \u202E\u009B\"}\n");
        var run = await CliRun.RunOnTerminalAsync("records", $"http://{peer.Address}", "--json");
        Assert.Equal((0, Before + "日本語 ü + 😀 日 \\u001B[2J \\u202E\\u009B\"}\n"), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task Records_ThatAreNone_AreRefused()
    {
        await using var peer = Http("200 OK", "{\"id\":\"five\"}\n");
        (await CliRun.RunAsync("records", $"http://{peer.Address}")).AssertFailed(ExitCode.Refused, "no record");
    }

    [Fact]
    public async Task Check_WithoutAServerOrAFile_SaysSo()
    {
        (await CliRun.RunAsync("check", "/nowhere/appsettings.json")).AssertFailed(ExitCode.LocalFile, "no such file");
        var file = Path.GetTempFileName();
        (await CliRun.RunAsync("check", file, "--server", "/nowhere/perch-server")).AssertFailed(ExitCode.LocalFile, "/nowhere/perch-server");
        File.Delete(file);
    }

    [Fact]
    public async Task Check_AsJson_HasThePlanAndEachFault()
    {
        if (OperatingSystem.IsWindows()) return;
        var folder = Directory.CreateTempSubdirectory("perch-");
        var (server, file) = (Path.Combine(folder.FullName, "server"), Path.Combine(folder.FullName, "other.json"));
        await File.WriteAllTextAsync(file, "{}");
        await AnswerAsync("printf 'echo\\techo\\ttcp 127.0.0.1:7\\n'; echo 'The configuration is valid: 1 endpoints.'");
        var run = await CliRun.RunAsync("check", file, "--server", server, "--json");
        Assert.Equal((0, """{"valid":true,"plan":[{"name":"echo","protocol":"echo","address":"tcp 127.0.0.1:7"}],"errors":[]}""" + "\n"), (run.ExitCode, run.Output));

        await AnswerAsync("printf 'perch-server: The configuration has 2 fault(s):\\n  a: wrong\\n  b: wrong too\\n' >&2; exit 2");
        run = await CliRun.RunAsync("check", file, "--server", server, "--json");
        Assert.Equal((2, """{"valid":false,"plan":[],"errors":["a: wrong","b: wrong too"]}""" + "\n"), (run.ExitCode, run.Output));

        // The server is given a folder in which the file has the name that it reads.
        await AnswerAsync("echo \"perch-server: Failed to load '$3/appsettings.json'.\" >&2; exit 2");
        run = await CliRun.RunAsync("check", file, "--server", server);
        Assert.Equal((2, $"perch-server: Failed to load '{file}'.\n"), (run.ExitCode, run.Error));
        folder.Delete(recursive: true);

        async Task AnswerAsync(string script)
        {
            await File.WriteAllTextAsync(server, "#!/bin/sh\n" + script + "\n");
            File.SetUnixFileMode(server, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        }
    }

    private static Peer Http(string status, string body) => new(async (stream, token) =>
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        while (await reader.ReadLineAsync(token) is { } line)
        {
            if (line.Length > 0) continue;
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {bytes.Length}\r\nContent-Type: application/json\r\n\r\n"), token);
            await stream.WriteAsync(bytes, token);
        }
    });
}

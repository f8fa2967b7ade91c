using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>The executable's start: exit codes, messages, verbs.</summary>
public sealed class StartUpTests
{
    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";

    [Theory]
    [InlineData("--check")]
    [InlineData(null)]
    public async Task Start_EveryKindOfFault_NamesEveryKeyAndExits2(string? verb)
    {
        var settings = new ServerSettings { Guards = """{ "IdleTimeout": "60" }""", Drain = "soon" }
            .With("one", """{ "Port": 47001, "Protocol": "gopher" }""")
            .With("two", """{ "Port": 70000, "Protocol": "echo", "Options": { "Prefx": "x", "MaxMessageBytes": 0 } }""")
            .With("three", """{ "Port": 47003, "Protocol": "echo", "Address": "localhost" }""")
            .With("four", """{ "Port": 47004, "Protocol": "echo", "Colour": "red", "Guards": { "MaxConnections": -1 } }""")
            .With("five", """{ "Port": 47004, "Protocol": "hello" }""")
            .With("six", """{ "Protocol": "echo" }""")
            .With("seven", """{ "Port": 47007 }""")
            .With("eight", """{ "Port": 47008, "Protocol": "bytes", "Options": { "Payload": "0x1" } }""");
        using var folder = new ServerFolder(settings);
        var ended = await ServerProcess.RunAsync(folder, verb is null ? [] : [verb]);
        Assert.Equal(2, ended.ExitCode);
        string[] keys =
        [
            "Perch:Defaults:Guards:IdleTimeout", "Perch:Shutdown:Drain", "Perch:Endpoints:one:Protocol", "Perch:Endpoints:two:Port", "Perch:Endpoints:two:Options:Prefx",
            "Perch:Endpoints:two:Options:MaxMessageBytes", "Perch:Endpoints:three:Address", "Perch:Endpoints:four:Colour",
            "Perch:Endpoints:four:Guards:MaxConnections", "Perch:Endpoints:four:Port", "Perch:Endpoints:six:Port",
            "Perch:Endpoints:seven:Protocol", "Perch:Endpoints:eight:Options:Payload",
        ];
        Assert.All(keys, key => Assert.Contains($"  {key}: ", ended.Errors, StringComparison.Ordinal));
        Assert.Contains("bytes, chargen, daytime, discard, echo, echo-blocking, echo-conversation, echo-raw, files, hello, record, reply, upload", ended.Errors, StringComparison.Ordinal);
        AssertNoStack(ended);
    }

    [Fact]
    public async Task Check_ValidFile_PrintsThePlanAndBindsNothing()
    {
        // The port is taken: whoever tried to bind it would fail.
        using var taken = Listen();
        using var folder = new ServerFolder(new ServerSettings()
            .With("echo", $$"""{ "Port": {{PortOf(taken)}}, "Protocol": "echo" }""")
            .With("local", """{ "UnixSocket": "run/local.sock", "Protocol": "reply" }""")
            .With("off", """{ "Port": 0, "Protocol": "chargen", "Enabled": false }"""));
        var ended = await ServerProcess.RunAsync(folder, "--check");
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.Equal(
            $"echo\techo\ttcp 127.0.0.1:{PortOf(taken)}\nlocal\treply\tunix {folder.Root}/run/local.sock\nThe configuration is valid: 2 endpoints.", ended.Output);
        Assert.False(Path.Exists(Path.Combine(folder.Root, "run")));
    }

    [Fact]
    public async Task Check_StoresThatLog_PrintsItsOwnLinesOnly()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Debug" }
            .With("record", """{ "Port": 0, "Protocol": "record" }""")
            .With("files", """{ "Port": 0, "Protocol": "files" }"""));
        var ended = await ServerProcess.RunAsync(folder, "--check");

        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.Equal(
            "files\tfiles\ttcp 127.0.0.1:0\nrecord\trecord\ttcp 127.0.0.1:0\nThe configuration is valid: 2 endpoints.", ended.Output);
    }

    [Fact]
    public async Task VerifyFiles_StoreThatDoesNotAnswer_Exits1WithOneLine()
    {
        using var taken = Listen();
        var port = PortOf(taken);
        taken.Stop();
        using var folder = new ServerFolder(new ServerSettings
        {
            Files = $$"""
                { "Store": "S3", "Bucket": "b", "ServiceUrl": "http://127.0.0.1:{{port}}", "AccessKey": "a", "SecretKey": "s", "Region": "r" }
                """,
        });
        var ended = await ServerProcess.RunAsync(folder, "--verify-files");

        Assert.Equal((1, ""), (ended.ExitCode, ended.Output));
        Assert.StartsWith("perch-server: the files cannot be read: bucket b: ", ended.Errors, StringComparison.Ordinal);
        AssertNoStack(ended);
    }

    [Fact]
    public async Task Version_Always_IsOneLine()
    {
        var ended = await ServerProcess.RunAsync(Path.GetTempPath(), "--version");

        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.Matches(@"^perch-server \d+\.\d+\.\d+\S*$", ended.Output);
    }

    [Fact]
    public async Task Start_Always_BeginsWithVersionContentRootAndFiles()
    {
        using var folder = new ServerFolder(new ServerSettings());
        File.WriteAllText(Path.Combine(folder.Root, "appsettings.Staging.json"), "{}");
        await using var server = await ServerProcess.StartAsync(folder, "--environment", "Staging");

        Assert.Matches(
            $@"^\[\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d INF\] perch-server \d\S* starts: content root {folder.Root}, "
            + $@"configuration {folder.File}, {folder.Root}/appsettings\.Staging\.json\n", server.Output);
    }

    [Fact]
    public async Task Start_NoFileAnywhere_Exits2AndSaysWhereItLooked()
    {
        using var folder = new ServerFolder();
        using var program = new ServerFolder();
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory).Where(f => Path.GetFileName(f) != "appsettings.json"))
            File.Copy(file, Path.Combine(program.Root, Path.GetFileName(file)));
        await using var server = ServerProcess.Launch(folder.Root, [], Path.Combine(program.Root, Path.GetFileName(ServerProcess.Executable)));
        var ended = await server.WaitForExitAsync();
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains($"there is no appsettings.json in '{folder.Root}'", ended.Errors, StringComparison.Ordinal);
        AssertNoStack(ended);
    }

    [Fact]
    public async Task Start_FileBesideTheExecutableOnly_IsServed()
    {
        using var folder = new ServerFolder();
        // The file beside the executable is the repository's own, whose ports may be taken here.
        string[] ports = [.. ((string[])["reply", "hello", "bytes", "echo"]).Select(e => $"--Perch:Endpoints:{e}:Port=0")];
        await using var server = await ServerProcess.StartAsync(folder, [.. ports, "--Kestrel:Endpoints:Admin:Url=http://127.0.0.1:0", "--Serilog:MinimumLevel:Override:Microsoft=Information"]);
        using var client = await server.ConnectAsync("echo");
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
    }

    [Fact]
    public async Task Start_BrokenJson_Exits2AndSaysWhere()
    {
        using var folder = new ServerFolder();
        folder.Write("{\n  \"Perch\": {\n    oops\n  }\n}");
        var ended = await ServerProcess.RunAsync(folder);
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains(folder.File, ended.Errors, StringComparison.Ordinal);
        Assert.Contains("LineNumber: 2", ended.Errors, StringComparison.Ordinal);
        AssertNoStack(ended);
    }

    [Fact]
    public async Task Start_OldKeyOfTheSocketEngineInTheEnvironment_NamesTheNewKeyAndExits2()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", Echo));
        await using var server = ServerProcess.Launch(folder.Root, ["Perch__Transport=Sockets", ServerProcess.Executable], "env");
        var ended = await server.WaitForExitAsync();
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("Perch:Transport: 'Sockets' is written under the old name of Perch:SocketEngine. Write \"SocketEngine\": \"Kestrel\"", ended.Errors, StringComparison.Ordinal);
        AssertNoStack(ended);
    }

    [Fact]
    public async Task Start_NoSuchContentRoot_Exits2()
    {
        using var folder = new ServerFolder();
        var ended = await ServerProcess.RunAsync(folder, "--contentRoot", "nowhere");
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains($"there is no folder '{folder.Root}/nowhere'", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_EnvironmentsFileAndCommandLine_GoOverTheFile()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo", "Options": { "Prefix": "1:" } }"""));
        File.WriteAllText(Path.Combine(folder.Root, "appsettings.Staging.json"), """{ "Perch": { "Endpoints": { "echo": { "Options": { "Prefix": "2:" } } } } }""");
        await using (var server = await ServerProcess.StartAsync(folder, "--environment", "Staging"))
        {
            using var client = await server.ConnectAsync("echo");
            Assert.Equal("2:x", await client.AskAsync("x", 3));
        }

        await using (var server = await ServerProcess.StartAsync(folder, "--environment", "Staging", "--Perch:Endpoints:echo:Options:Prefix=3:"))
        {
            using var client = await server.ConnectAsync("echo");
            Assert.Equal("3:x", await client.AskAsync("x", 3));
        }
    }

    [Fact]
    public async Task Start_LaterLayerInCapitals_KeepsTheEndpointsNameAndWarns()
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", Echo));
        await using var server = await ServerProcess.StartAsync(folder, "--PERCH:ENDPOINTS:ECHO:OPTIONS:PREFIX=3:");
        using var client = await server.ConnectAsync("echo");
        Assert.Equal("3:x", await client.AskAsync("x", 3));
        Assert.Equal("echo", Assert.Single(await server.Admin.GetEndpointsAsync()).Name);
        await Poll.UntilAsync(() => server.Output.Contains("'echo' is written 'ECHO'", StringComparison.Ordinal), () => $"it warns: {server.Output}");
    }

    [Fact]
    public async Task Start_AdminPortInUse_Exits1WithOneClearLine()
    {
        using var taken = Listen();
        using var folder = new ServerFolder(new ServerSettings { AdminUrl = $"http://127.0.0.1:{PortOf(taken)}" }.With("echo", Echo));
        var ended = await ServerProcess.RunAsync(folder);
        Assert.True(ended.ExitCode == 1, ended.Errors);
        Assert.Equal($"perch-server: Failed to bind to address http://127.0.0.1:{PortOf(taken)}: address already in use.", ended.Errors);
        AssertNoStack(ended);
    }

    [Fact]
    public async Task Start_SecondProcessWithTheSameFile_Exits1AndTheFirstServesOn()
    {
        using var probe = Listen();
        var port = PortOf(probe);
        probe.Stop();
        using var folder = new ServerFolder(new ServerSettings()
            .With("echo", $$"""{ "Port": {{port}}, "Protocol": "echo" }""")
            .With("local", """{ "UnixSocket": "local.sock", "Protocol": "echo" }"""));
        await using var first = await ServerProcess.StartAsync(folder);
        using var client = await Client.ConnectAsync(port);
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));

        var second = await ServerProcess.RunAsync(folder);
        Assert.Equal(1, second.ExitCode);
        Assert.Contains($"echo (tcp 127.0.0.1:{port}): address in use", second.Errors, StringComparison.Ordinal);
        Assert.Contains("local.sock", second.Errors, StringComparison.Ordinal);
        AssertNoStack(second);

        Assert.Equal("GOT:y", await client.AskAsync("y", 5));
        using var another = await Client.ConnectAsync(port);
        Assert.Equal("GOT:z", await another.AskAsync("z", 5));
        using var local = await Client.ConnectAsync(Path.Combine(folder.Root, "local.sock"));
        Assert.Equal("GOT:u", await local.AskAsync("u", 5));
    }

    [Fact]
    public async Task Start_NoEndpointsAtAll_ServesTheAdminEndpoint()
    {
        using var folder = new ServerFolder(new ServerSettings());
        await using var server = await ServerProcess.StartAsync(folder);
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetReadyAsync()).Status);
    }

    [Fact]
    public async Task Health_ReadyServerRedServerAndNone_Exits0And1And1()
    {
        using var taken = Listen();
        using var folder = new ServerFolder(new ServerSettings().With("echo", Echo));
        await using var server = await ServerProcess.StartAsync(folder);
        var url = $"--Kestrel:Endpoints:Admin:Url={server.Admin.Url}";
        var ready = await ServerProcess.RunAsync(folder, "--health", url);
        Assert.Equal((0, ""), (ready.ExitCode, ready.Errors));
        Assert.Contains("\"Healthy\"", ready.Output, StringComparison.Ordinal);

        folder.Write(new ServerSettings().With("echo", Echo).With("late", $$"""{ "Port": {{PortOf(taken)}}, "Protocol": "echo" }""").ToString());
        await Poll.UntilAsync(async () => (await server.Admin.GetEndpointsAsync()).Any(e => e.State == "Failed"), () => "the endpoint fails");
        var red = await ServerProcess.RunAsync(folder, "--health", url);
        Assert.Equal(1, red.ExitCode);
        Assert.Contains("address in use", red.Output, StringComparison.Ordinal);

        server.Signal(ServerProcess.Sigterm);
        await server.WaitForExitAsync();
        var none = await ServerProcess.RunAsync(folder, "--health", url);
        Assert.Equal(1, none.ExitCode);
        Assert.Contains($"{server.Admin.Url} does not answer", none.Errors, StringComparison.Ordinal);
    }

    private static TcpListener Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return listener;
    }

    private static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    private static void AssertNoStack(Ended ended)
    {
        Assert.DoesNotContain("   at ", ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ended.Output, StringComparison.Ordinal);
    }
}

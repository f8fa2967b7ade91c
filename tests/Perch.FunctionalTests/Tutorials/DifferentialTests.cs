using System.Text.RegularExpressions;
using Perch.FunctionalTests.Cli;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// The same client talks to a small Python server that does what the tutorial's server does, and to Perch. Both dialogues
/// have the same bytes in the same order. <see cref="IntendedDifferenceTests"/> lists the dialogues that differ.
/// </summary>
public sealed class DifferentialTests(ShippedServer perch) : IClassFixture<ShippedServer>
{
    public static TheoryData<string> Names => [.. Dialogues.All.Keys];

    [NeighbourTheory("python3")]
    [MemberData(nameof(Names))]
    public async Task Dialogue_OfATutorialsClient_IsTheSameWithPerch(string name)
    {
        var dialogue = Dialogues.All[name];
        using var folder = new ServerFolder();
        await PrepareAsync(dialogue, folder.Root);
        string[] arguments = [.. dialogue.Server[1..].Select(argument => argument.Replace("{folder}", folder.Root))];
        await using var tutorial = await PythonProgram.StartServerAsync(dialogue.Server[0], arguments);
        var expected = await PythonProgram.RunClientAsync(dialogue.Client[0], tutorial.Port, dialogue.Client[1..], dialogue.Input);

        var logged = perch.Process.Output.Length;
        var port = await perch.Process.Admin.GetPortAsync(dialogue.Endpoint);
        var actual = await PythonProgram.RunClientAsync(dialogue.Client[0], port, dialogue.Client[1..], dialogue.Input);
        Assert.NotEmpty(actual);
        Assert.Equal(expected, actual);

        await AssertLinesAsync([.. dialogue.Lines.Select(line => line.Tutorial)], () => tutorial.Output);
        await AssertLinesAsync([.. dialogue.Lines.Select(line => line.Perch)], () => perch.Process.Output[logged..]);
    }

    [Fact]
    public void Dialogues_OfTheThirteenSystems_AreThere() =>
        Assert.Equal(Enumerable.Range(1, 13), Dialogues.All.Values.Select(dialogue => dialogue.System).Distinct().Order());

    [NeighbourFact("python3")]
    public async Task Connect_LinesOfAPerson_AreSentAsTheTutorialsClientSendsThem()
    {
        const string Lines = "Zack\nPython\nworld!\nquit\n";
        using var folder = new ServerFolder();
        await using var server = await PythonProgram.StartServerAsync("hello.py");
        await PythonProgram.RunClientAsync("session.py", server.Port, [], Lines);
        await Poll.UntilAsync(() => server.Output.Contains("closed", StringComparison.Ordinal), () => server.Output);
        var expected = server.Output;

        var client = await PerchClient.RunAsync(folder.Root, Lines, "connect", $"hello://127.0.0.1:{server.Port}");
        Assert.Equal((0, "---"), (client.ExitCode, client.Output));
        await Poll.UntilAsync(() => WithoutPorts(server.Output) == WithoutPorts(expected + expected), () => server.Output);
    }

    [NeighbourFact("python3")]
    public async Task Load_OnTwoProcesses_IsSharedAndAnsweredAlike()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("processes.py", "2");
        var expected = await PythonProgram.RunClientAsync("ask.py", tutorial.Port, ["Hello"]);

        var settings = new ServerSettings().With("echo", $$"""{ "Port": {{FreePort.Find()}}, "Protocol": "echo", "ReusePort": true }""");
        using var one = new ServerFolder(settings);
        using var two = new ServerFolder(settings);
        await using var first = await ServerProcess.StartAsync(one);
        await using var second = await ServerProcess.StartAsync(two);
        var port = await first.Admin.GetPortAsync("echo");
        ServerProcess[] processes = [first, second];
        await Poll.UntilAsync(
            async () =>
            {
                Assert.Equal(expected, await PythonProgram.RunClientAsync("ask.py", port, ["Hello"]));
                return (await Task.WhenAll(processes.Select(ServedAsync))).All(served => served > 0);
            },
            () => "one process got every connection");
    }

    private static async Task<double> ServedAsync(ServerProcess process) =>
        (await process.Admin.GetMetricsAsync()).Sum("perch_connections_ended_total", "endpoint=\"echo\"");

    private static string WithoutPorts(string output) =>
        Regex.Replace(output, @"(?<=127\.0\.0\.1:)\d+", "", RegexOptions.None, TimeSpan.FromSeconds(1));

    /// <summary>Both servers of system 9 send the same file.</summary>
    private async Task PrepareAsync(Dialogue dialogue, string folder)
    {
        if (dialogue.System != 9)
            return;
        var content = new byte[1200];
        new Random(1).NextBytes(content);
        await File.WriteAllBytesAsync(Path.Combine(folder, "boot.bin"), content);
        using var client = await perch.Process.ConnectAsync("files");
        await client.SendAsync("PUT boot.bin 1200\n");
        await client.SendAsync(content);
        client.EndInput();
        Assert.StartsWith("OK 1200 ", await client.ReceiveTextToEndAsync(), StringComparison.Ordinal);
    }

    private static async Task AssertLinesAsync(string[] patterns, Func<string> output)
    {
        var all = new Regex(string.Join(@"[\s\S]*\n.*", patterns), RegexOptions.None, TimeSpan.FromSeconds(1));
        await Poll.UntilAsync(() => all.IsMatch(output()), () => $"{all} in\n{output()}");
    }
}

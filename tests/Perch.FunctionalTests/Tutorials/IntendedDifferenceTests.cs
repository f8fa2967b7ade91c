using System.Text.Json.Nodes;
using Perch.FunctionalTests.Cli;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// Every difference between a tutorial's server and Perch that is intended. Each test shows the tutorial's behaviour with
/// the Python server first.
/// </summary>
public sealed class IntendedDifferenceTests(ShippedServer perch) : IClassFixture<ShippedServer>
{
    private const string Stored = "received データ送信とDB保存完了\nend\n";
    private const string Uploaded = "received ファイルアップロード完了\nend\n";

    [NeighbourFact("python3")]
    public async Task Reply_MoreBytesThanAreRead_EndsInOrderInsteadOfAReset()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("reply.py");
        Assert.Equal("received データ送信\nreset\n", await PythonProgram.RunClientAsync("once.py", tutorial.Port, ["@2000"]));
        Assert.Equal("received データ送信\nend\n", await AskAsync("reply", "once.py", "@2000"));
    }

    [NeighbourFact("python3")]
    public async Task Record_AQuoteInTheText_IsStoredInsteadOfAFault()
    {
        using var folder = new ServerFolder();
        await using var tutorial = await PythonProgram.StartServerAsync("record.py", Path.Combine(folder.Root, "logs.db"));
        Assert.Empty(await AskTutorialInVainAsync(tutorial.Port, "it's"u8.ToArray()));
        Assert.Equal(Stored, await AskAsync("record", "once.py", "it's"));
        Assert.Equal("it's", (await RecordsAsync())[^1]);
    }

    [NeighbourFact("sqlite3")]
    public async Task Record_SqlInTheText_IsStoredAsTextInsteadOfRun()
    {
        const string Injection = "x'), ('forged";
        using var folder = new ServerFolder();
        var database = Path.Combine(folder.Root, "logs.db");
        await using var tutorial = await PythonProgram.StartServerAsync("record.py", database);
        Assert.Equal(Stored, await PythonProgram.RunClientAsync("once.py", tutorial.Port, [Injection]));
        Assert.Equal("x\nforged\n", await Neighbour.RunAsync("sqlite3", [database, "SELECT data FROM logs"], ""));
        var before = await RecordsAsync();
        Assert.Equal(Stored, await AskAsync("record", "once.py", Injection));
        var after = await RecordsAsync();
        Assert.Equal([.. before, Injection], after);
    }

    [NeighbourFact("sqlite3")]
    public async Task Record_ATextInTwoParts_IsOneRecordInsteadOfItsFirstPart()
    {
        using var folder = new ServerFolder();
        var database = Path.Combine(folder.Root, "logs.db");
        await using var tutorial = await PythonProgram.StartServerAsync("record.py", database);
        await PythonProgram.RunClientAsync("once.py", tutorial.Port, ["first, ", "second"]);
        Assert.Equal("first, \n", await Neighbour.RunAsync("sqlite3", [database, "SELECT data FROM logs"], ""));
        Assert.Equal(Stored, await AskAsync("record", "once.py", "first, ", "second"));
        Assert.Equal("first, second", (await RecordsAsync())[^1]);
    }

    [NeighbourFact("python3")]
    public async Task Record_ATextOverTheLimit_IsRefusedInsteadOfCut()
    {
        var limit = 1024 * 1024;
        Assert.StartsWith("received ERR too-long ", await AskAsync("record", "once.py", $"@{limit + 1}"), StringComparison.Ordinal);
        Assert.Equal(Stored, await AskAsync("record", "once.py", $"@{limit}"));
    }

    [NeighbourFact("python3")]
    public async Task Upload_AFileOver1024Bytes_IsStoredWholeInsteadOfCut()
    {
        using var folder = new ServerFolder();
        var file = Path.Combine(folder.Root, "received");
        await using var tutorial = await PythonProgram.StartServerAsync("upload.py", file);
        var answer = await PythonProgram.RunClientAsync("once.py", tutorial.Port, ["@300000"]);
        Assert.StartsWith("received ファイルアップロード完了\n", answer, StringComparison.Ordinal);
        Assert.Equal(1024, new FileInfo(file).Length);
        var before = await FilesAsync();
        Assert.Equal(Uploaded, await AskAsync("upload-once", "once.py", "@300000"));
        Assert.Equal([300_000], (await FilesAsync()).Except(before).Select(LengthOf));
    }

    [NeighbourFact("python3")]
    public async Task Upload_ASecondFile_IsStoredBesideTheFirstInsteadOfOverIt()
    {
        using var folder = new ServerFolder();
        await using var tutorial = await PythonProgram.StartServerAsync("upload.py", Path.Combine(folder.Root, "received"));
        var before = await FilesAsync();
        foreach (var text in (string[])["first", "second"])
        {
            Assert.Equal(Uploaded, await PythonProgram.RunClientAsync("once.py", tutorial.Port, [text]));
            Assert.Equal(Uploaded, await AskAsync("upload-once", "once.py", text));
        }

        Assert.Equal("second", await File.ReadAllTextAsync(Path.Combine(folder.Root, "received")));
        Assert.Equal([5, 6], (await FilesAsync()).Except(before).Select(LengthOf).Order());
    }

    [NeighbourFact("python3")]
    public async Task Hello_BytesThatAreNoUtf8_AreAnsweredInsteadOfEndingTheThread()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("hello.py");
        Assert.Empty(await AskTutorialInVainAsync(tutorial.Port, [0xFF]));
        Assert.Equal("sent 1\nreceived b'-'\n", await AskAsync("hello", "ask.py", "hex:ff"));
    }

    [NeighbourFact("python3")]
    public async Task Hello_APortInUse_IsReportedAndTriedAgainInsteadOfEndingTheProgram()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("hello.py");
        var second = await PythonProgram.RunServerAsync("hello.py", $"{tutorial.Port}");
        Assert.Equal(1, second.ExitCode);
        Assert.StartsWith("Bind failed: ", second.Output, StringComparison.Ordinal);

        using var folder = new ServerFolder(new ServerSettings()
            .With("hello", $$"""{ "Port": {{tutorial.Port}}, "Protocol": "hello" }""")
            .With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await server.ConnectAsync("echo");
        Assert.Equal("GOT:Hello", await client.AskAsync("Hello", 9));
        Assert.Equal("Failed", (await server.Admin.GetEndpointsAsync()).Single(endpoint => endpoint.Name == "hello").State);
        Assert.Contains("Endpoint hello could not bind", server.Output, StringComparison.Ordinal);
    }

    [NeighbourFact("python3")]
    public async Task Bytes_AfterTheBytes_TheClientClosesFirstInsteadOfTheServer()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("bytes.py", "tcp");
        using var toTutorial = await Client.ConnectAsync(tutorial.Port);
        Assert.Equal([1, 2, 3, 4], await toTutorial.ReceiveToEndAsync());

        using var toPerch = await perch.Process.ConnectAsync("bytes");
        Assert.Equal([1, 2, 3, 4], await toPerch.ReceiveAsync(4));
        Assert.Contains(await perch.Process.Admin.GetConnectionsAsync(), connection => connection.Peer == toPerch.LocalAddress);
        toPerch.EndInput();
        Assert.Empty(await toPerch.ReceiveToEndAsync());
    }

    [NeighbourFact("python3")]
    public async Task Bytes_BytesFromTheClient_AreAnsweredWithTheBytesInsteadOfNothing()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("bytes.py", "tcp-receive");
        Assert.Equal("sent 4\nend\n", await PythonProgram.RunClientAsync("ask.py", tutorial.Port, ["hex:01020304"]));
        Assert.Equal("sent 4\nreceived b'\\x01\\x02\\x03\\x04'\n", await AskAsync("bytes", "ask.py", "hex:01020304"));
    }

    [NeighbourFact("python3")]
    public async Task Bytes_ADatagramOver1024Bytes_IsDroppedWholeInsteadOfCut()
    {
        await using var tutorial = await PythonProgram.StartServerAsync("bytes.py", "udp");
        Assert.Equal("received 01020304\n", await PythonProgram.RunClientAsync("datagram.py", tutorial.Port, ["@1025"]));
        Assert.StartsWith("Received 1024 bytes: ", tutorial.Output, StringComparison.Ordinal);
        Assert.Equal("nothing\n", await AskAsync("bytes-udp", "datagram.py", "@1025"));
        Assert.Equal("received 01020304\n", await AskAsync("bytes-udp", "datagram.py", "@1024"));
    }

    [NeighbourFact("python3")]
    public async Task Connect_ARefusedConnection_IsAnExitCodeInsteadOfALine()
    {
        using var folder = new ServerFolder();
        await using var tutorial = await PythonProgram.StartServerAsync("hello.py");
        var screen = await PythonProgram.RunClientAsync("session.py", tutorial.Port, [], "Zack\nquit\n");
        Assert.Equal("Please enter 'quit' to exit\n ->  -> \n", screen);
        var nobody = FreePort.Find();
        Assert.Equal("Connection Error\n", await PythonProgram.RunClientAsync("session.py", nobody, []));
        var refused = await PerchClient.RunAsync(folder.Root, "", "connect", $"hello://127.0.0.1:{nobody}");
        Assert.Equal(4, refused.ExitCode);
        Assert.NotEmpty(refused.Errors);
    }

    /// <summary>
    /// The thread of the tutorial's server ends by an exception and leaves the socket open; the server closes the socket
    /// when its variable for the accepted client takes the next client.
    /// </summary>
    /// <returns>All bytes that the client gets.</returns>
    private static async Task<byte[]> AskTutorialInVainAsync(int port, byte[] message)
    {
        using var client = await Client.ConnectAsync(port);
        await client.SendAsync(message);
        using var next = await Client.ConnectAsync(port);
        return await client.ReceiveToEndAsync();
    }

    private static int LengthOf(string row) => int.Parse(row.Split(' ')[0]);

    private async Task<string> AskAsync(string endpoint, string client, params string[] arguments) =>
        await PythonProgram.RunClientAsync(client, await perch.Process.Admin.GetPortAsync(endpoint), arguments);

    private async Task<string[]> RecordsAsync()
    {
        var (_, body) = await perch.Process.Admin.GetAsync("/records?limit=10000");
        return [.. body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(row => JsonNode.Parse(row)!["data"]!.GetValue<string>())];
    }

    /// <summary>The rows of LIST: length, hash, time and name.</summary>
    private async Task<string[]> FilesAsync()
    {
        using var client = await perch.Process.ConnectAsync("files");
        await client.SendAsync("LIST uploads/\n");
        client.EndInput();
        return (await client.ReceiveTextToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..];
    }
}
